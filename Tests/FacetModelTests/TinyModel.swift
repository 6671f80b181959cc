import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import Foundation

/// A configuration small enough for plain arithmetic, and ways to change one field of it.
enum TinyConfiguration {
    /// Fields of a `config.json`; 4 query heads of 8 in 2 groups, 2 decoder layers, 64 tokens; pictures of 56 × 56
    /// pixels make 4 patch rows.
    static let fields: [String: any Sendable] = [
        "model_type": "chatglm", "add_qkv_bias": true, "multi_query_attention": true, "multi_query_group_num": 2,
        "hidden_size": 24, "ffn_hidden_size": 40, "kv_channels": 8, "num_attention_heads": 4, "num_layers": 2,
        "padded_vocab_size": 64, "seq_length": 256, "layernorm_epsilon": 1.5625e-07, "original_rope": true,
        "torch_dtype": "bfloat16", "eos_token_id": [50, 51], "pad_token_id": 50, "boi_token_id": 60,
        "eoi_token_id": 61, "vision_config": visionFields,
    ]

    static let visionFields: [String: any Sendable] = [
        "image_size": 56, "patch_size": 14, "num_positions": 17, "in_channels": 3, "hidden_act": "gelu",
        "dropout_prob": 0.0, "num_hidden_layers": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 40,
        "layer_norm_eps": 1e-6, "scaling_factor": 8,
    ]

    /// The configuration with some fields changed; a nil value removes the field.
    static func parsed(
        _ changes: [String: Any?] = [:], vision: [String: Any?] = [:]
    ) throws -> GLM4VConfiguration {
        var fields: [String: Any] = fields
        var visionFields: [String: Any] = visionFields
        for (key, value) in vision { visionFields[key] = value }
        fields["vision_config"] = visionFields
        for (key, value) in changes { fields[key] = value }
        let data = try JSONSerialization.data(withJSONObject: fields)
        return try GLM4VConfiguration(parsing: Array(data))
    }
}

/// A model with random weights and memory of its own; runs packed sequences chunk by chunk.
final class TinyModel {
    /// One sequence: its tokens and which of them are computed in which order of chunks.
    struct Sequence {
        var prompt: PromptExpansion
        var image: ImageID?
        var pages: [Int32]
    }

    /// The sizes that every tiny model works within.
    static let limits = ModelLimits(
        maxRows: 64, maxSequences: 4, maxSampledRows: 64, pageSize: 4, pageCount: 40, maxImages: 2, visionTileRows: 5)

    let configuration: GLM4VConfiguration
    let model: GLM4V
    let memory: ModelMemory

    init(
        threadCount: Int = 2, dtype: DType = .float32, source: (any WeightSource)? = nil,
        configuration: GLM4VConfiguration? = nil, residency: WeightResidency = .mapped
    ) throws {
        let configuration = try configuration ?? TinyConfiguration.parsed()
        self.configuration = configuration
        model = try GLM4V(
            source: source ?? RandomWeights(configuration, dtype: .bfloat16, seed: 7), configuration: configuration,
            dtype: dtype, backend: CPUBackend(threadCount: threadCount), residency: residency)
        memory = try ModelMemory(for: model, limits: Self.limits)
    }

    /// A model on several devices.
    init(
        dtype: DType = .float32, source: any WeightSource, configuration: GLM4VConfiguration,
        devices: [any Backend], placement: Placement
    ) throws {
        self.configuration = configuration
        model = try GLM4V(
            source: source, configuration: configuration, dtype: dtype, devices: devices, placement: placement)
        memory = try ModelMemory(for: model, limits: Self.limits)
    }

    /// The device that computes logits.
    var backend: any Backend { memory.outputDevice }
    var features: FeatureStore { memory.features }

    /// Encodes a picture of smooth waves.
    func encode(_ image: ImageID, probe: Probe? = nil) throws {
        try model.encode(pixels(image), as: image, memory: memory, probe: probe)
    }

    /// Begins to encode a picture of smooth waves.
    func beginEncoding(_ image: ImageID) throws -> PictureEncoding {
        try model.beginEncoding(pixels(image), as: image, memory: memory)
    }

    private func pixels(_ image: ImageID) -> [Float] {
        (0..<memory.pixels.shape.elementCount).map { sin(Float($0 * (image.rawValue + 1)) * 0.37) }
    }

    /// Adds rows `rows` of a sequence to a batch.
    func append(_ sequence: Sequence, _ rows: Range<Int>, to batch: inout ForwardBatch) {
        let start = batch.rowCount
        let pageSize = memory.limits.pageSize
        batch.tokenIDs += sequence.prompt.tokenIDs[rows]
        batch.positions += sequence.prompt.positions[rows]
        batch.slots += rows.map { sequence.pages[$0 / pageSize] * Int32(pageSize) + Int32($0 % pageSize) }
        batch.offsets.append(Int32(batch.rowCount))
        batch.contextLengths.append(Int32(rows.upperBound))
        batch.pages.append(sequence.pages)
        guard let image = sequence.image, let imageRows = sequence.prompt.imageRows else { return }
        let part = imageRows.clamped(to: rows)
        if part.isEmpty { return }
        let shift = start - rows.lowerBound
        batch.imageSpans.append(
            ImageSpan(
                image: image, rows: part.lowerBound + shift..<part.upperBound + shift,
                featureRows: part.lowerBound - imageRows.lowerBound..<part.upperBound - imageRows.lowerBound))
    }

    /// Runs a batch; returns the logits of its sampled rows.
    @discardableResult
    func forward(_ batch: ForwardBatch, probe: Probe? = nil) throws -> [[Float]] {
        try model.forward(ForwardPass(batch, memory: memory, probe: probe))
        let count = batch.sampledRows.count
        if count == 0 { return [] }
        let values = try floats(memory.logits(rows: count))
        let width = configuration.vocabularySize
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    /// Runs one sequence in chunks; returns the logits of all its rows.
    func run(_ sequence: Sequence, chunk: Int) throws -> [[Float]] {
        var logits: [[Float]] = []
        for start in stride(from: 0, to: sequence.prompt.rowCount, by: chunk) {
            var batch = ForwardBatch()
            append(sequence, start..<min(start + chunk, sequence.prompt.rowCount), to: &batch)
            batch.sampledRows = (0..<batch.rowCount).map(Int32.init)
            logits += try forward(batch)
        }
        return logits
    }

    /// The elements of a tensor as float32.
    func floats(_ tensor: Tensor) throws -> [Float] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        try bytes.withUnsafeMutableBytes { try backend.download(tensor, into: $0) }
        return bytes.withUnsafeBytes { buffer in
            tensor.dtype == .float32
                ? Array(buffer.bindMemory(to: Float.self))
                : buffer.bindMemory(to: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
        }
    }

    /// A prompt of `count` tokens, with a picture's three placeholders at `imageAt`.
    static func ids(_ count: Int, seed: Int32 = 1, imageAt: Int? = nil) -> [Int32] {
        var ids = (0..<Int32(count)).map { ($0 * 11 + seed * 5) % 49 }
        if let start = imageAt { ids.replaceSubrange(start..<start + 3, with: [60, 50, 61]) }
        return ids
    }

    /// A text sequence on the given pages.
    func sequence(_ ids: [Int32], pages: [Int32], image: ImageID? = nil) throws -> Sequence {
        let prompt = try PromptExpansion(ids, imageCount: image == nil ? 0 : 1, configuration: configuration)
        return Sequence(prompt: prompt, image: image, pages: pages)
    }
}

/// The largest difference between two lists of rows; infinite when their forms differ.
func worstDifference(_ a: [[Float]], _ b: [[Float]]) -> Float {
    guard a.map(\.count) == b.map(\.count) else { return .infinity }
    return zip(a.joined(), b.joined()).map { abs($0 - $1) }.max() ?? 0
}
