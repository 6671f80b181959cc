import FacetCheckpoint
import FacetImage
import FacetJSON
import FacetModel
import FacetTensor
import FacetTokenizer
import Foundation

/// Runs one reference case and compares everything that it holds.
struct ModelCaseRun {
    /// The suite that all results name.
    static let suite = "model"

    private let modelCase: ModelCase
    private let model: GLM4V
    private let tokenizer: Tokenizer?
    private let folder: URL
    private let tolerances: ModelTolerances
    private let quantizesCache: Bool

    init(_ modelCase: ModelCase, model: GLM4V, tokenizer: Tokenizer?, folder: URL, quantizesCache: Bool) {
        self.modelCase = modelCase
        self.model = model
        self.tokenizer = tokenizer
        self.folder = folder
        self.quantizesCache = quantizesCache
        tolerances = ModelTolerances(
            dtype: model.dtype, scalingFactor: Double(model.configuration.vision.scalingFactor))
    }

    /// All comparisons of the case.
    func results() throws -> [CaseResult] {
        var results: [CaseResult] = []
        var sequences: [ModelSession.Sequence] = []
        for (index, row) in modelCase.rows.enumerated() {
            results += try textResults(row, label(index))
            let hasImage = row.promptIDs.contains(model.configuration.beginOfImageID)
            let prompt = try PromptExpansion(
                row.promptIDs, imageCount: hasImage ? 1 : 0, configuration: model.configuration)
            results += positionResults(row, prompt, label(index))
            sequences.append(
                ModelSession.Sequence(
                    prompt: prompt, image: hasImage ? ImageID(index) : nil,
                    nextTokens: Array(row.greedyIDs.dropLast())))
        }
        return try results + modelResults(sequences)
    }

    // MARK: Text and positions

    private func textResults(_ row: ModelCase.Row, _ name: String) throws -> [CaseResult] {
        guard let tokenizer else { return [] }
        var results: [CaseResult] = []
        if let messages = row.messages {
            let conversation = try messages.map { message in
                ChatMessage(
                    role: try ChatRole(name: message["role"]?.string ?? ""),
                    content: message["content"]?.string ?? "", metadata: message["metadata"]?.string ?? "",
                    hasImage: message["image"]?.string != nil,
                    tools: message["tools"]?.array == nil ? nil : message["tools"]?.text)
            }
            let prompt = try ChatTemplate(tokenizer).prompt(
                for: conversation, addingGenerationPrompt: modelCase.addsGenerationPrompt)
            results.append(exact(row.promptIDs, prompt.tokenIDs, name, "prompt_token_ids"))
        }
        if let text = row.greedyText {
            let got = tokenizer.decode(row.greedyIDs, specialTokens: .skipped)
            let passed = text.unicodeScalars.elementsEqual(got.unicodeScalars)
            results.append(
                CaseResult(
                    suite: Self.suite, name: name, tensor: "greedy_text",
                    expected: passed ? nil : text.debugDescription, got: passed ? nil : got.debugDescription,
                    passed: passed))
        }
        return results
    }

    private func positionResults(
        _ row: ModelCase.Row, _ prompt: PromptExpansion, _ name: String
    ) -> [CaseResult] {
        var results: [CaseResult] = []
        if let positions = row.positions {
            results.append(exact(positions, prompt.positions, name, "position_ids"))
        }
        if let positions = row.generationPositions {
            let got = positions.indices.map { Int32(prompt.nextPosition + $0) }
            results.append(exact(positions, got, name, "generation_position_ids"))
        }
        return results
    }

    // MARK: The model

    private func modelResults(_ sequences: [ModelSession.Sequence]) throws -> [CaseResult] {
        let recorder = TensorRecorder(model.devices)
        let names = modelCase.tensors?.names ?? []
        let wantsAllLogits = sequences.count == 1 && names.contains("logits")
        let session = try ModelSession(
            model, limits: limits(sequences, keepingPromptLogits: wantsAllLogits))
        var results = try encodePictures(sequences, session, recorder)
        let record = try session.run(
            sequences, keepingPromptLogits: wantsAllLogits, probe: sequences.count == 1 ? recorder.probe : nil)
        for (index, row) in modelCase.rows.enumerated() {
            results.append(tokenResult(row.greedyIDs, record.stepLogits[index], label(index)))
        }
        for name in names where name != "pixel_values" {
            results += try tensorResults(name, record, recorder)
        }
        return try results + batchResults(sequences, session, record)
    }

    /// Room for exactly this case, so that its memory stays small whatever the checkpoint.
    private func limits(_ sequences: [ModelSession.Sequence], keepingPromptLogits: Bool) -> ModelLimits {
        let rows = sequences.reduce(0) { $0 + $1.prompt.rowCount }
        let rowByteCount = model.configuration.vocabularySize * DType.float32.byteCount
        let mostRows = keepingPromptLogits ? max(16, (256 << 20) / rowByteCount) : 1024
        let pageSize = 16
        let pages = sequences.reduce(0) { count, sequence in
            count + (sequence.prompt.rowCount + sequence.nextTokens.count + pageSize - 1) / pageSize
        }
        let chunk = min(rows, mostRows)
        return ModelLimits(
            maxRows: max(chunk, sequences.count), maxSequences: sequences.count,
            maxSampledRows: keepingPromptLogits ? max(chunk, 1) : nil, pageSize: pageSize, pageCount: pages + 3,
            maxImages: sequences.count, quantizesCache: quantizesCache)
    }

    private func encodePictures(
        _ sequences: [ModelSession.Sequence], _ session: ModelSession, _ recorder: TensorRecorder
    ) throws -> [CaseResult] {
        var results: [CaseResult] = []
        var picture = 0
        for (index, sequence) in sequences.enumerated() {
            guard let image = sequence.image else { continue }
            let reference = modelCase.pixels.flatMap { picture < $0.shape[0] ? $0.slice(picture) : nil }
            let pixels = try pixels(modelCase.rows[index], reference, label(index), &results)
            try session.encode(pixels, as: image, probe: recorder.probe)
            picture += 1
        }
        return results
    }

    /// The reference's pixels where there are any, so that model and picture reading are checked apart.
    private func pixels(
        _ row: ModelCase.Row, _ reference: ReferenceTensors.Entry?, _ name: String, _ results: inout [CaseResult]
    ) throws -> [Float] {
        guard let path = row.imagePath else {
            guard let reference else {
                throw VerifyError.malformed(path: name, reason: "the prompt has a picture, the case has none")
            }
            return reference.values
        }
        let bytes = try ImageSource.file(path: folder.appendingPathComponent(path).path).load()
        let bitmap = try ImageDecoder(limits: ImageLimits()).decode(bytes, named: path)
        let got = try ImagePreprocessor(size: model.configuration.imageSize)(bitmap)
        guard let reference else { return got }
        let isLossless = bytes.starts(with: [0x89, 0x50, 0x4E, 0x47])
        results.append(
            compare(
                "pixel_values", got, reference, name,
                isLossless ? ModelTolerances.losslessPixels : ModelTolerances.lossyPixels))
        return reference.values
    }

    // MARK: Tensors and tokens

    private func tensorResults(
        _ name: String, _ record: ModelSession.Record, _ recorder: TensorRecorder
    ) throws -> [CaseResult] {
        guard let reference = try modelCase.tensors?.entry(name) else { return [] }
        let tolerance = tolerances.tolerance(of: name)
        switch name {
        case "logits":
            return logitsResults(reference, record, tolerance)
        case "last_logits":
            let got = record.stepLogits.flatMap { $0.first ?? [] }
            return [compare(name, got, reference, modelCase.name, tolerance)]
        case "step_logits":
            let steps = reference.shape.count == 3 ? reference.shape[1] : 0
            let got = record.stepLogits.flatMap { $0.prefix(steps).flatMap { $0 } }
            return [compare(name, got, reference, modelCase.name, tolerance)]
        default:
            guard let got = recorder.values(of: name) else {
                return [
                    CaseResult(
                        suite: Self.suite, name: modelCase.name, tensor: name, expected: "a point of the model",
                        got: "no such point in this run", passed: false)
                ]
            }
            let ordered = reference.shape.count == 4 ? channelsFirst(got, reference.shape) : got
            return [compare(name, ordered, reference, modelCase.name, tolerance)]
        }
    }

    /// All rows in float32; in bfloat16 the last one alone, which is the one that counts.
    private func logitsResults(
        _ reference: ReferenceTensors.Entry, _ record: ModelSession.Record, _ tolerance: Tolerance
    ) -> [CaseResult] {
        if case .absolute = tolerance {
            return [compare("logits", record.promptLogits, reference, modelCase.name, tolerance)]
        }
        let width = reference.shape.last ?? 0
        let last = ReferenceTensors.Entry(shape: [1, width], values: Array(reference.values.suffix(width)))
        return [compare("logits (last row)", record.promptLogits.suffix(width), last, modelCase.name, tolerance)]
    }

    /// The best token of every step against the reference's; ties go to the lowest id.
    private func tokenResult(_ expected: [Int32], _ logits: [[Float]], _ name: String) -> CaseResult {
        let got = zip(expected, logits).map { chosenToken($1, expected: $0) }
        let count = min(tolerances.judgedTokenCount ?? expected.count, expected.count)
        var result = exact(Array(expected.prefix(count)), Array(got.prefix(count)), name, "greedy_token_ids")
        result.worst = Double(zip(expected, got).filter { $0 != $1 }.count)
        result.tolerance = Double(expected.count - count)
        return result
    }

    /// The best token, or the expected one when it is tied with it.
    private func chosenToken(_ logits: [Float], expected: Int32) -> Int32 {
        let best = logits.indices.max { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 > $1) } ?? 0
        guard tolerances.tieWidth > 0, logits.indices.contains(Int(expected)) else { return Int32(best) }
        let squares = logits.reduce(0.0) { $0 + Double($1) * Double($1) }
        let width = tolerances.tieWidth * (squares / Double(logits.count)).squareRoot()
        return Double(logits[best] - logits[Int(expected)]) <= width ? expected : Int32(best)
    }

    /// A packed batch must give each row what the row gives alone.
    private func batchResults(
        _ sequences: [ModelSession.Sequence], _ session: ModelSession, _ record: ModelSession.Record
    ) throws -> [CaseResult] {
        guard sequences.count > 1 else { return [] }
        return try sequences.indices.map { index in
            let alone = try session.run([sequences[index]]).stepLogits[0]
            let width = model.configuration.vocabularySize
            let reference = ReferenceTensors.Entry(shape: [alone.count, width], values: alone.flatMap { $0 })
            return compare(
                "batched against alone", record.stepLogits[index].flatMap { $0 }, reference, label(index),
                tolerances.tolerance(of: "step_logits"))
        }
    }

    // MARK: Results

    private func label(_ row: Int) -> String {
        modelCase.rows.count == 1 ? modelCase.name : "\(modelCase.name)[\(row)]"
    }

    private func compare(
        _ tensor: String, _ got: some Collection<Float>, _ reference: ReferenceTensors.Entry, _ name: String,
        _ tolerance: Tolerance
    ) -> CaseResult {
        guard got.count == reference.values.count else {
            return CaseResult(
                suite: Self.suite, name: name, tensor: tensor,
                expected: "\(reference.values.count) elements \(reference.shape)", got: "\(got.count) elements",
                passed: false)
        }
        let comparison = TensorComparison(
            Array(got), reference: reference.values, shape: reference.shape, tolerance: tolerance)
        return CaseResult(
            suite: Self.suite, name: name, tensor: tensor, worst: comparison.worst, index: comparison.index,
            tolerance: tolerance.limit, passed: comparison.passed)
    }

    private func exact(_ expected: [Int32], _ got: [Int32], _ name: String, _ tensor: String) -> CaseResult {
        if expected == got { return CaseResult(suite: Self.suite, name: name, tensor: tensor, passed: true) }
        let at = zip(expected, got).enumerated().first { $1.0 != $1.1 }?.offset ?? min(expected.count, got.count)
        let around = { (ids: [Int32]) in
            "\(Array(ids[max(0, min(at, ids.count) - 3)..<min(ids.count, at + 5)])) of \(ids.count)"
        }
        return CaseResult(
            suite: Self.suite, name: name, tensor: tensor, index: [at], expected: around(expected), got: around(got),
            passed: false)
    }

    /// Rows of a grid, `[row · column, channel]`, as the reference stores them: `[1, channel, row, column]`.
    private func channelsFirst(_ values: [Float], _ shape: [Int]) -> [Float] {
        let (channels, cells) = (shape[1], shape[2] * shape[3])
        guard values.count == channels * cells else { return values }
        return (0..<channels).flatMap { channel in (0..<cells).map { values[$0 * channels + channel] } }
    }
}

/// Copies what a probe sees; rows of later chunks and pictures follow those of earlier ones.
private final class TensorRecorder {
    private var tensors: [String: [Float]] = [:]
    private let devices: [any Backend]

    init(_ devices: [any Backend]) { self.devices = devices }

    func values(of point: String) -> [Float]? { tensors[point] }

    var probe: Probe {
        { point, tensor throws(TensorError) in
            // The session keeps logits itself.
            guard point != "logits", let device = self.devices.first(where: { $0.device == tensor.device }) else {
                return
            }
            self.tensors[point, default: []] += try device.floats(of: tensor)
        }
    }
}
