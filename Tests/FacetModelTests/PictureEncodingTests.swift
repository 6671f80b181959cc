import FacetModel
import FacetPlacement
import FacetTensor
import Testing

/// Pictures that are encoded unit by unit, with steps of the decoder in between.
@Suite("Encoding between steps")
struct PictureEncodingTests {
    /// Logits of a text and of a prompt with a picture.
    private struct Answers: Equatable {
        var text: [[Float]] = []
        var picture: [[Float]] = []
    }

    private static let textIDs = TinyModel.ids(21)

    /// Runs the text row by row, `stagesPerStep` stages of the picture before each row, then the prompt with the picture.
    private static func play(_ model: TinyModel, stagesPerStep: Int) throws -> Answers {
        var answers = Answers()
        let text = try model.sequence(textIDs, pages: Array(0..<6))
        let encoding = try model.beginEncoding(ImageID(0))
        for row in 0..<text.prompt.rowCount {
            for _ in 0..<stagesPerStep where !encoding.isEnqueued { try encoding.enqueueStage() }
            var batch = ForwardBatch()
            model.append(text, row..<row + 1, to: &batch)
            batch.sampledRows = [0]
            answers.text += try model.forward(batch)
        }
        while !encoding.isEnqueued { try encoding.enqueueStage() }
        let configuration = model.configuration
        let ids: [Int32] = [3, configuration.beginOfImageID, 5, configuration.endOfImageID, 7, 8]
        let prompt = try model.sequence(ids, pages: Array(6..<30), image: ImageID(0))
        answers.picture = try model.run(prompt, chunk: 60)
        model.features.release(ImageID(0))
        return answers
    }

    @Test("steps between a picture's units change neither the picture nor the text", arguments: [1, 2, 3])
    func inPlace(stagesPerStep: Int) throws {
        let scenario = try Scenario()
        func model() throws -> TinyModel {
            try scenario.model(.bfloat16, [try CPUBackend(threadCount: 1)], .single(scenario.configuration))
        }
        let expected = try Self.play(try model(), stagesPerStep: 1000)
        #expect(try Self.play(try model(), stagesPerStep: stagesPerStep) == expected)
    }

    @Test("nor on any placement, units streamed among them")
    func placements() throws {
        let scenario = try Scenario()
        let single = try scenario.model(
            .bfloat16, [try CPUBackend(threadCount: 1)], .single(scenario.configuration))
        let expected = try Self.play(single, stagesPerStep: 1000)
        let devices = try (0..<3).map { try CPUDevice(index: $0, budgetByteCount: 64 << 20) }
        var random = Randomness(seed: 5)
        for round in 0..<30 {
            let placement = scenario.randomPlacement(3, streamsVisionOnly: round % 2 == 0, &random)
            let model = try scenario.model(.bfloat16, devices, placement)
            #expect(try Self.play(model, stagesPerStep: 1) == expected, "\(placement)")
        }
    }

    @Test("knows which stages share a device with the decoder, and which wait for another device")
    func sharing() throws {
        let scenario = try Scenario()
        var placement = Placement.single(scenario.configuration)
        for index in placement.decoder.indices { placement.decoder[index].device = 1 }
        placement.vision[2].device = 1
        let devices = try (0..<2).map { try CPUDevice(index: $0, budgetByteCount: 64 << 20) }
        let model = try scenario.model(.bfloat16, devices, placement)
        let encoding = try model.beginEncoding(ImageID(0))
        var shares: [Int] = []
        var hops: [Int] = []
        for stage in 0..<encoding.stageCount {
            if encoding.nextSharesDevice { shares.append(stage) }
            if encoding.nextHops { hops.append(stage) }
            try encoding.enqueueStage()
        }
        // The last stage brings the features to the embedding's device.
        #expect(encoding.stageCount == placement.vision.count + 1)
        #expect(shares == [2, placement.vision.count] && hops == [2, 3, placement.vision.count])
        #expect(encoding.isEnqueued && !encoding.nextSharesDevice && !encoding.nextHops)
    }
}
