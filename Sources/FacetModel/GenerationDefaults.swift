import FacetCheckpoint

/// How to generate when the caller does not say: what `generation_config.json` holds.
public struct GenerationDefaults: Sendable, Hashable {
    /// The file's name in a checkpoint folder; the file may be missing.
    public static let fileName = "generation_config.json"

    /// Tokens that end an answer; they are not shown.
    public let eosTokenIDs: [Int32]

    /// Whether to draw from the distribution instead of taking the best token.
    public let isSampling: Bool

    /// Divides the logits when sampling.
    public let temperature: Float

    /// How many of the best tokens stay in the draw; 0 for all of them.
    public let topK: Int

    /// Share of probability that stays in the draw.
    public let topP: Float

    /// Divides positive and multiplies negative logits of tokens already seen; 1 for none.
    public let repetitionPenalty: Float

    /// Most unexpanded prompt tokens and new tokens together; nil for the model's own limit.
    public let maximumLength: Int?

    /// The defaults of a model whose folder has no such file: greedy, with the configuration's stop tokens.
    public init(_ configuration: GLM4VConfiguration) {
        eosTokenIDs = configuration.eosTokenIDs
        isSampling = false
        temperature = 1
        topK = Self.fallbackTopK
        topP = 1
        repetitionPenalty = 1
        maximumLength = nil
    }

    /// Reads the bytes of a `generation_config.json`.
    ///
    /// - Parameters:
    ///   - configuration: gives the stop tokens when the file names none, and the vocabulary's size.
    ///   - file: the file's name in errors.
    public init(
        parsing bytes: [UInt8], configuration: GLM4VConfiguration, file: String = GenerationDefaults.fileName
    ) throws(ModelError) {
        let reader = try ConfigurationReader(parsing: bytes, file: file)
        let ids = try reader.tokenIDs("eos_token_id", below: configuration.vocabularySize)
        eosTokenIDs = ids.isEmpty ? configuration.eosTokenIDs : ids
        isSampling = try reader.bool("do_sample", default: false)
        temperature = Float(try reader.number("temperature", default: 1, in: 0...1000))
        topK = try reader.integer("top_k", default: Self.fallbackTopK, in: 0...configuration.vocabularySize)
        topP = Float(try reader.number("top_p", default: 1, in: 0...1))
        repetitionPenalty = Float(try reader.number("repetition_penalty", default: 1, in: 1e-3...1000))
        maximumLength =
            reader.value("max_length") == nil
            ? nil : try reader.integer("max_length", in: 1...ConfigurationLimits.positions)
    }

    /// What the reference library uses when the file does not say.
    private static let fallbackTopK = 50
}
