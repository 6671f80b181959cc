import FacetModel
import Testing

@Suite("Batches")
struct ForwardBatchTests {
    @Test("a batch that agrees with itself passes")
    func validBatch() throws {
        let model = try TinyModel()
        try model.encode(ImageID(0))
        _ = try pass(try batch(model), model)
    }

    @Test("a picture that has no features is named")
    func unknownImage() throws {
        let model = try TinyModel()
        let batch = try batch(model)
        #expect(throws: ModelError.unknownImage(ImageID(0))) { try pass(batch, model) }
    }

    @Test("every contradiction is refused", arguments: Contradiction.allCases)
    func contradictions(contradiction: Contradiction) throws {
        let model = try TinyModel()
        try model.encode(ImageID(0))
        var batch = try batch(model)
        contradiction.apply(to: &batch)
        let error = #expect(throws: ModelError.self) { try pass(batch, model) }
        guard case .invalidBatch = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// One way to break a batch of two sequences, 9 rows with a picture and 3 rows.
    enum Contradiction: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case noRows, tooManyRows, positionMissing, slotMissing, offsetMissing, offsetBehindEnd, pageListMissing
        case tokenTooLarge, tokenNegative, positionTooLarge, positionNegative, slotTooLarge, emptySequence
        case contextTooShort, contextBeyondPages, pageTooLarge, pageNegative, imageRowWithoutSpan, tokenInSpan
        case spansOverlap, spanBeyondRows, spanBeyondFeatures, sampledTwice, sampledBeyondRows, tooManySequences

        var testDescription: String { rawValue }

        func apply(to batch: inout ForwardBatch) {
            switch self {
            case .noRows: batch = ForwardBatch()
            case .tooManyRows: batch.tokenIDs = [Int32](repeating: 1, count: 65)
            case .positionMissing: batch.positions.removeLast()
            case .slotMissing: batch.slots.removeLast()
            case .offsetMissing: batch.offsets.removeLast()
            case .offsetBehindEnd: batch.offsets[2] += 1
            case .pageListMissing: batch.pages.removeLast()
            case .tokenTooLarge: batch.tokenIDs[0] = 64
            case .tokenNegative: batch.tokenIDs[0] = -2
            case .positionTooLarge: batch.positions[0] = 256
            case .positionNegative: batch.positions[0] = -1
            case .slotTooLarge: batch.slots[0] = 160
            case .emptySequence: batch.offsets[1] = 12
            case .contextTooShort: batch.contextLengths[1] = 2
            case .contextBeyondPages: batch.contextLengths[1] = 9
            case .pageTooLarge: batch.pages[1][1] = 40
            case .pageNegative: batch.pages[1][1] = -1
            case .imageRowWithoutSpan: batch.imageSpans = []
            case .tokenInSpan: batch.tokenIDs[3] = 1
            case .spansOverlap: batch.imageSpans.append(batch.imageSpans[0])
            case .spanBeyondRows:
                batch.imageSpans = [ImageSpan(image: ImageID(0), rows: 8..<14, featureRows: 0..<6)]
            case .spanBeyondFeatures:
                batch.imageSpans = [ImageSpan(image: ImageID(0), rows: 2..<8, featureRows: 1..<7)]
            case .sampledTwice: batch.sampledRows = [8, 8]
            case .sampledBeyondRows: batch.sampledRows = [12]
            case .tooManySequences:
                batch.contextLengths = [Int32](repeating: 1, count: 5)
            }
        }
    }

    private func batch(_ model: TinyModel) throws -> ForwardBatch {
        var batch = ForwardBatch()
        let picture = try model.sequence(TinyModel.ids(6, imageAt: 2), pages: [3, 9, 1], image: ImageID(0))
        let text = try model.sequence(TinyModel.ids(3), pages: [0, 2])
        model.append(picture, 0..<9, to: &batch)
        model.append(text, 0..<3, to: &batch)
        batch.sampledRows = [8, 11]
        return batch
    }

    private func pass(_ batch: ForwardBatch, _ model: TinyModel) throws -> ForwardPass {
        try ForwardPass(batch, memory: model.memory)
    }
}
