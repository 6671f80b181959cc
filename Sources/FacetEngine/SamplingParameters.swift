public import FacetModel

/// How to choose tokens and when to stop.
public struct SamplingParameters: Sendable, Hashable {
    /// Divides the logits; at most `greedyTemperature` means: always the best token.
    public var temperature: Float

    /// How many of the best tokens stay in the draw; 0 for all, 1 for always the best.
    public var topK: Int

    /// Share of probability that stays in the draw, from the best token down; 1 for all of it.
    public var topP: Float

    /// Divides positive and multiplies negative logits of ids already seen; 1 for none.
    public var repetitionPenalty: Float

    /// Fixes the draws; nil takes a new seed for each request.
    public var seed: UInt64?

    /// Most tokens to generate; nil for `ContextLimits.defaultMaxTokens`, or fewer when fewer fit.
    public var maxTokens: Int?

    /// Ids that end the answer; they are not shown.
    public var stopTokenIDs: [Int32]

    /// Texts that end the answer; they are not shown, nor is what follows them.
    public var stopStrings: [String]

    /// Temperatures up to this one mean greedy, as in the published demo server.
    public static let greedyTemperature: Float = 1e-5

    /// Most stop strings of a request.
    public static let stopStringLimit = 16

    /// Most bytes of a stop string.
    public static let stopStringByteLimit = 1024

    /// Makes parameters; without arguments they choose the best token and stop at the length limit only.
    public init(
        temperature: Float = 0, topK: Int = 0, topP: Float = 1, repetitionPenalty: Float = 1, seed: UInt64? = nil,
        maxTokens: Int? = nil, stopTokenIDs: [Int32] = [], stopStrings: [String] = []
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
        self.maxTokens = maxTokens
        self.stopTokenIDs = stopTokenIDs
        self.stopStrings = stopStrings
    }

    /// Takes what a checkpoint recommends in `generation_config.json`.
    public init(_ defaults: GenerationDefaults) {
        self.init(
            temperature: defaults.isSampling ? defaults.temperature : 0, topK: defaults.topK, topP: defaults.topP,
            repetitionPenalty: defaults.repetitionPenalty, stopTokenIDs: defaults.eosTokenIDs)
    }

    /// Whether the best token is always taken.
    public var isGreedy: Bool { temperature <= Self.greedyTemperature || topK == 1 }

    /// Checks every value.
    ///
    /// - Throws: `.invalidSampling` with the first one that makes no sense.
    public func validate() throws(EngineError) {
        try Self.require(
            temperature.isFinite && temperature >= 0 && temperature <= 1000, "temperature", "\(temperature)",
            "from 0 (greedy) to 1000")
        try Self.require(topK >= 0, "top_k", "\(topK)", "0 (all tokens) or more")
        try Self.require(topP >= 0 && topP <= 1, "top_p", "\(topP)", "from 0 to 1")
        try Self.require(
            repetitionPenalty >= 1e-3 && repetitionPenalty <= 1000, "repetition_penalty", "\(repetitionPenalty)",
            "from 0.001 to 1000 (1 for none)")
        if let maxTokens { try Self.require(maxTokens > 0, "max_tokens", "\(maxTokens)", "at least 1") }
        try Self.require(
            stopStrings.count <= Self.stopStringLimit, "stop", "\(stopStrings.count) strings",
            "at most \(Self.stopStringLimit) strings")
        for text in stopStrings {
            let byteCount = text.utf8.count
            try Self.require(
                (1...Self.stopStringByteLimit).contains(byteCount), "stop", "a string of \(byteCount) bytes",
                "strings of 1 to \(Self.stopStringByteLimit) bytes")
        }
    }

    private static func require(
        _ isValid: Bool, _ parameter: String, _ got: String, _ expected: String
    ) throws(EngineError) {
        guard isValid else { throw .invalidSampling(parameter: parameter, expected: expected, got: got) }
    }
}
