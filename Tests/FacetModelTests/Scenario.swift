import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation

/// The cases of the tiny checkpoint, as work that any division of the model must carry out alike.
struct Scenario {
    let source: any WeightSource
    let configuration: GLM4VConfiguration
    private let prompts: [[Int32]]
    private let batch: [[Int32]]

    /// - Parameter quantization: how the weights are quantized first; nil for not at all.
    init(quantization: PrecisionChoice? = nil) throws {
        let folder = FixtureFolder.path("glm4v-tiny")
        let recipe = try GLM4VConfiguration(
            parsing: FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20))
        (source, configuration) = try QuantizingSource.quantizing(
            Checkpoint(folder: folder.path), recipe, quantization)
        func expected(_ name: String) throws -> [String: Any] {
            let file = folder.appendingPathComponent("cases/\(name)/expected.json")
            return try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
        }
        prompts = try ["text", "image", "multiturn-image"].map {
            (try expected($0)["prompt_token_ids"] as? [Int] ?? []).map(Int32.init)
        }
        let both = try expected("batch2")
        let masks = both["attention_mask"] as? [[Int]] ?? []
        batch = zip(both["input_ids"] as? [[Int]] ?? [], masks).map { ids, mask in
            zip(ids, mask).filter { $0.1 != 0 }.map { Int32($0.0) }
        }
    }

    var visionUnitCount: Int { configuration.vision.layerCount + 2 }
    var decoderUnitCount: Int { configuration.layerCount + 3 }

    /// The model on devices of a placement.
    func model(_ dtype: DType, _ devices: [any Backend], _ placement: Placement) throws -> TinyModel {
        try TinyModel(
            dtype: dtype, source: source, configuration: configuration, devices: devices, placement: placement)
    }

    /// What a placement asks of its devices, in bfloat16.
    func demands(_ placement: Placement) throws -> [DeviceDemand] {
        TinyModel.limits.demands(
            of: placement, configuration: configuration, dtype: .bfloat16,
            weights: try ModelInventory(configuration).weightSizes(in: source))
    }

    /// Logits of everything on one device that works in place.
    func logits(_ dtype: DType) throws -> [[Float]] {
        try logits(dtype, [try CPUBackend(threadCount: 1)], .single(configuration))
    }

    /// Logits of everything on devices of a placement.
    func logits(_ dtype: DType, _ devices: [any Backend], _ placement: Placement) throws -> [[Float]] {
        try logits(model(dtype, devices, placement))
    }

    /// Logits of each case: all rows of the prompt in two chunks, then two single rows; then the batch, packed.
    func logits(_ model: TinyModel) throws -> [[Float]] {
        try model.encode(ImageID(0))
        var logits: [[Float]] = []
        for prompt in prompts {
            logits += try run([prompt], model, firstPage: 0)
        }
        logits += try run(batch, model, firstPage: 3)
        model.features.release(ImageID(0))
        return logits
    }

    private func run(_ prompts: [[Int32]], _ model: TinyModel, firstPage: Int32) throws -> [[Float]] {
        var nextPage = firstPage
        var sequences: [TinyModel.Sequence] = []
        for prompt in prompts {
            let hasImage = prompt.contains(configuration.beginOfImageID)
            // Two rows are left to be computed one by one.
            let expansion = try PromptExpansion(
                prompt, imageCount: hasImage ? 1 : 0, configuration: configuration)
            let pageCount = Int32(expansion.rowCount + 3) / 4
            let pages = (nextPage..<nextPage + pageCount).reversed().map { $0 }
            nextPage += pageCount
            sequences.append(
                TinyModel.Sequence(prompt: expansion, image: hasImage ? ImageID(0) : nil, pages: pages))
        }
        var logits: [[Float]] = []
        func step(_ rows: (Int) -> Range<Int>) throws {
            var batch = ForwardBatch()
            for sequence in sequences {
                model.append(sequence, rows(sequence.prompt.rowCount), to: &batch)
                batch.sampledRows.append(Int32(batch.rowCount - 1))
            }
            logits += try model.forward(batch)
        }
        try step { 0..<$0 / 2 }
        try step { $0 / 2..<$0 - 2 }
        try step { $0 - 2..<$0 - 1 }
        try step { $0 - 1..<$0 }
        return logits
    }

    /// Each unit on any device; some units streamed, from memory or from the files.
    func randomPlacement(
        _ deviceCount: Int, streamsVisionOnly: Bool, _ random: inout Randomness
    ) -> Placement {
        func units(_ count: Int, streamed: Bool) -> [UnitPlacement] {
            (0..<count).map { _ in
                let residencies: [UnitPlacement.Residency] =
                    streamed ? [.resident, .host, .disk] : [.resident]
                return UnitPlacement(
                    device: Int.random(in: 0..<deviceCount, using: &random),
                    residency: residencies.randomElement(using: &random) ?? .resident)
            }
        }
        return Placement(
            vision: units(visionUnitCount, streamed: true),
            decoder: units(decoderUnitCount, streamed: !streamsVisionOnly))
    }
}

/// Random numbers from a seed (the SplitMix64 sequence).
struct Randomness: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
