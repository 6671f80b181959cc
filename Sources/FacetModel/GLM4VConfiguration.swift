import FacetCheckpoint
import FacetJSON
public import FacetTensor

/// The recipe of a GLM-4V-9B model: what `config.json` says, checked.
///
/// Everything the published architecture allows but this package does not compute is refused by name.
/// Field names of the file are quoted once, in the initializer below.
public struct GLM4VConfiguration: Sendable, Hashable {
    /// The file's name in a checkpoint folder.
    public static let fileName = "config.json"

    /// Decoder layers.
    public let layerCount: Int

    /// Width of the decoder's residual stream.
    public let hiddenSize: Int

    /// Width of the feed-forward block, in the decoder and in the projector.
    public let intermediateSize: Int

    /// Query heads.
    public let headCount: Int

    /// Key/value heads; divides `headCount`.
    public let groupCount: Int

    /// Elements of one head; `headCount · headDimension` need not be `hiddenSize`.
    public let headDimension: Int

    /// Rows of the token embedding and of the output layer, padding rows included.
    public let vocabularySize: Int

    /// Position ids run from 0 to one less than this.
    public let positionLimit: Int

    /// Added to the mean square in every RMSNorm.
    public let normEpsilon: Float

    /// Factor on the rotary base of 10,000.
    public let ropeRatio: Double

    /// Whether the fused query/key/value projection has a bias.
    public let hasProjectionBias: Bool

    /// Whether the decoder's other products have one.
    public let hasLinearBias: Bool

    /// Tokens that end an answer.
    public let eosTokenIDs: [Int32]

    /// The padding token, if there is one.
    public let padTokenID: Int32?

    /// The token in front of a picture.
    public let beginOfImageID: Int32

    /// The token behind a picture.
    public let endOfImageID: Int32

    /// The dtype that the weights were published in.
    public let publishedDType: DType

    /// The vision tower.
    public let vision: VisionConfiguration

    /// Which weights are quantized, and how; nil for none.
    public internal(set) var quantization: ModelQuantization?

    /// Head counts of a decoder layer.
    public var attention: AttentionShape {
        AttentionShape(heads: headCount, groups: groupCount, headDimension: headDimension)
    }

    /// How many leading elements of a head are rotated: half of them.
    public var rotatedDimension: Int { headDimension / 2 }

    /// Side of the square picture in pixels.
    public var imageSize: Int { vision.imageSize }

    /// Rows of a picture between its begin and end rows.
    public var patchRowCount: Int { vision.patchRowCount }

    /// Rows that a picture takes in the cache, begin and end rows included.
    public var imageRowCount: Int { vision.patchRowCount + 2 }
}

extension GLM4VConfiguration {
    /// Reads the bytes of a `config.json`.
    ///
    /// Missing fields take the defaults of the published configuration class; `original_rope` has none.
    /// - Parameter file: the file's name in errors.
    public init(parsing bytes: [UInt8], file: String = GLM4VConfiguration.fileName) throws(ModelError) {
        let reader = try ConfigurationReader(parsing: bytes, file: file)
        try Self.checkArchitecture(reader)
        guard let visionReader = try reader.nested("vision_config") else { throw .textOnly(file: file) }
        try Self.checkVariant(reader)
        let limits = ConfigurationLimits.self
        layerCount = try reader.integer("num_layers", default: 28, in: 1...limits.layers)
        hiddenSize = try reader.integer("hidden_size", default: 4096, in: 1...limits.width)
        intermediateSize = try reader.integer("ffn_hidden_size", default: 13696, in: 1...limits.width)
        headCount = try reader.integer("num_attention_heads", default: 32, in: 1...limits.width)
        groupCount = try reader.integer("multi_query_group_num", default: 1, in: 1...limits.width)
        headDimension = try reader.integer("kv_channels", default: 128, in: 1...limits.width)
        vocabularySize = try reader.integer("padded_vocab_size", default: 65024, in: 1...limits.vocabulary)
        positionLimit = try reader.integer("seq_length", default: 2048, in: 1...limits.positions)
        normEpsilon = Float(try reader.number("layernorm_epsilon", default: 1e-5, in: 0...1))
        ropeRatio = try reader.number("rope_ratio", default: 1, in: 1e-6...1e12)
        hasProjectionBias = try reader.bool("add_qkv_bias", default: false)
        hasLinearBias = try reader.bool("add_bias_linear", default: false)
        eosTokenIDs = try reader.tokenIDs("eos_token_id", below: vocabularySize)
        padTokenID = try reader.tokenIDs("pad_token_id", below: vocabularySize).first
        beginOfImageID = try Self.imageToken("boi_token_id", reader, below: vocabularySize)
        endOfImageID = try Self.imageToken("eoi_token_id", reader, below: vocabularySize)
        publishedDType = try Self.dtype(reader)
        vision = try VisionConfiguration(visionReader)
        quantization =
            if let quantizationReader = try reader.nested("quantization_config") {
                try ModelQuantization(quantizationReader)
            } else { nil }
        try validate(reader)
    }

    private static func checkArchitecture(_ reader: ConfigurationReader) throws(ModelError) {
        guard let modelType = try reader.string("model_type") else { throw reader.missing("model_type", "\"chatglm\"") }
        guard modelType == "chatglm" else { throw .notGLM4V(file: reader.file, modelType: "\"\(modelType)\"") }
    }

    /// Refuses the variants of the architecture that no published checkpoint of this model uses.
    private static func checkVariant(_ reader: ConfigurationReader) throws(ModelError) {
        try reader.require("multi_query_attention", true, default: false)
        try reader.require("rmsnorm", true, default: true)
        try reader.require("post_layer_norm", true, default: true)
        try reader.require("apply_residual_connection_post_layernorm", false, default: false)
        try reader.require("fp32_residual_connection", false, default: false)
        try reader.require("tie_word_embeddings", false, default: false)
        try reader.require("original_rope", true)
        if let prefix = reader.value("pre_seq_len") {
            throw reader.unsupported("pre_seq_len", expected: "null", got: String(prefix.text.prefix(60)))
        }
    }

    private static func imageToken(
        _ key: String, _ reader: ConfigurationReader, below limit: Int
    ) throws(ModelError) -> Int32 {
        Int32(try reader.integer(key, in: 0...(limit - 1)))
    }

    private static func dtype(_ reader: ConfigurationReader) throws(ModelError) -> DType {
        guard let name = try reader.string("torch_dtype") else { return .float32 }
        guard let dtype = DType(rawValue: name), dtype.isFloatingPoint else {
            throw reader.unsupported("torch_dtype", expected: "bfloat16, float16 or float32", got: "\"\(name)\"")
        }
        return dtype
    }

    private func validate(_ reader: ConfigurationReader) throws(ModelError) {
        guard headCount % groupCount == 0 else {
            let expected = "a divisor of num_attention_heads \(headCount)"
            throw reader.invalid("multi_query_group_num", expected, "\(groupCount)")
        }
        guard headDimension % 4 == 0 else {
            let expected = "a multiple of 4 (half of a head is rotated in pairs)"
            throw reader.unsupported("kv_channels", expected: expected, got: "\(headDimension)")
        }
        let width = (headCount + 2 * groupCount).multipliedReportingOverflow(by: headDimension)
        guard !width.overflow, width.partialValue <= ConfigurationLimits.width else {
            let expected = "such that all heads together have at most \(ConfigurationLimits.width) elements"
            throw reader.invalid("kv_channels", expected, "\(headDimension)")
        }
        guard beginOfImageID != endOfImageID else {
            throw reader.invalid("eoi_token_id", "another token than boi_token_id", "\(endOfImageID)")
        }
    }
}

extension GLM4VConfiguration {
    /// The published model, for measurements and plans without a folder.
    public static let glm4v9b = GLM4VConfiguration(
        layerCount: 40, hiddenSize: 4096, intermediateSize: 13696, headCount: 32, groupCount: 2, headDimension: 128,
        vocabularySize: 151_552, positionLimit: 8192, normEpsilon: 1.5625e-07, ropeRatio: 1, hasProjectionBias: true,
        hasLinearBias: false, eosTokenIDs: [151_329, 151_336, 151_338], padTokenID: 151_329, beginOfImageID: 151_339,
        endOfImageID: 151_340, publishedDType: .bfloat16,
        vision: VisionConfiguration(
            imageSize: 1120, patchSize: 14, channelCount: 3, layerCount: 63, hiddenSize: 1792, headCount: 16,
            intermediateSize: 15360, normEpsilon: 1e-06, scalingFactor: 8))

    /// The presets that commands accept by name.
    public static let presets: [String: GLM4VConfiguration] = ["glm-4v-9b": glm4v9b]

    /// The same model with other numbers of layers, for measurements that need not repeat one layer 40 times.
    public func withLayerCounts(decoder: Int, vision visionLayers: Int) -> GLM4VConfiguration {
        precondition(decoder > 0 && visionLayers > 0, "a model has layers")
        return GLM4VConfiguration(
            layerCount: decoder, hiddenSize: hiddenSize, intermediateSize: intermediateSize, headCount: headCount,
            groupCount: groupCount, headDimension: headDimension, vocabularySize: vocabularySize,
            positionLimit: positionLimit, normEpsilon: normEpsilon, ropeRatio: ropeRatio,
            hasProjectionBias: hasProjectionBias, hasLinearBias: hasLinearBias, eosTokenIDs: eosTokenIDs,
            padTokenID: padTokenID, beginOfImageID: beginOfImageID, endOfImageID: endOfImageID,
            publishedDType: publishedDType, vision: vision.withLayerCount(visionLayers), quantization: quantization)
    }

    /// The same model with other weights quantized.
    public func withQuantization(_ quantization: ModelQuantization?) -> GLM4VConfiguration {
        var configuration = self
        configuration.quantization = quantization
        return configuration
    }
}
