public import FacetModel
public import FacetPlacement
public import FacetTensor

/// How to set up an engine around a checkpoint; every default suits one person asking one question at a time.
public struct EngineOptions: Sendable, Hashable {
    /// Type of activations and cache: float32, bfloat16, or float16 on cards; nil for what the checkpoint was published in.
    public var dtype: DType?

    /// How weights are quantized while they are loaded; nil to use them as they are stored.
    public var quantization: PrecisionChoice?

    /// Whether keys and values are kept as bytes instead, with a scale per token and head.
    public var quantizesCache = false

    /// Cache rows of one conversation, a picture's included; nil for all that the model's positions allow.
    public var contextTokens: Int?

    /// Conversations that run at a time.
    public var maxSequences = 1

    /// Rows of one step: prompts are computed in chunks of this length.
    public var maxRows = 512

    /// Tokens of one cache page.
    public var pageSize = 16

    /// Pictures whose features are kept; nil for one per conversation.
    public var maxImages: Int?

    /// Picture rows that pass the vision tower's feed-forward blocks at once.
    public var visionTileRows = 512

    /// How mapped weights are kept in memory; nil to decide by the memory there is.
    public var residency: WeightResidency?

    /// Whether the largest step is run once after loading, so that measured peaks are those of the worst case.
    public var profilesMemory = false

    /// The engine's queues.
    public var queue = Engine.Limits()

    /// The defaults.
    public init() {}

    /// The type of activations and cache for a checkpoint: float16 ones are computed in float32.
    ///
    /// - Throws: `.invalidOption` when `dtype` is a type that the model does not compute in.
    public func activationDType(_ configuration: GLM4VConfiguration) throws(EngineError) -> DType {
        switch dtype ?? configuration.publishedDType {
        case .bfloat16: return .bfloat16
        case .float32: return .float32
        case .float16 where dtype != nil: return .float16
        case let other where dtype == nil && other.isFloatingPoint: return .float32
        case let other:
            throw .invalidOption(option: "dtype", expected: "float32, bfloat16 or float16", got: other.rawValue)
        }
    }

    /// The sizes that all memory is taken by.
    ///
    /// - Throws: `.invalidOption` with the first option that makes no sense.
    public func modelLimits(_ configuration: GLM4VConfiguration) throws(EngineError) -> ModelLimits {
        try Self.check("the number of sequences", maxSequences, in: 1...1024)
        try Self.check("rows of a step", maxRows, in: maxSequences...65_536)
        try Self.check("the page size", pageSize, in: 1...1024)
        try Self.check("the number of pictures to keep", imageCount, in: 0...1024)
        try Self.check("picture rows of a tile", visionTileRows, in: 1...1_048_576)
        try Self.check("the queue's length", queue.maxWaiting, in: 0...1_000_000)
        try Self.check("the number of conversations to keep", queue.maxRetained, in: 0...1024)
        let rows = try cacheRows(configuration)
        let pagesPerSequence = (rows + pageSize - 1) / pageSize
        let (pageCount, overflow) = pagesPerSequence.multipliedReportingOverflow(by: maxSequences)
        // Slots are 32-bit numbers on the device.
        guard !overflow, pageCount * pageSize < Int(Int32.max) else {
            throw .invalidOption(
                option: "context length times sequences", expected: "less than \(Int32.max) rows",
                got: "\(rows) times \(maxSequences)")
        }
        return ModelLimits(
            maxRows: maxRows, maxSequences: maxSequences, pageSize: pageSize, pageCount: pageCount,
            maxImages: imageCount, visionTileRows: visionTileRows, quantizesCache: quantizesCache)
    }

    /// How long a conversation may be with these options.
    ///
    /// - Throws: `.invalidOption`.
    public func contextLimits(
        _ configuration: GLM4VConfiguration, recommendedLength: Int? = nil
    ) throws(EngineError) -> ContextLimits {
        ContextLimits(
            positionLimit: configuration.positionLimit, cacheRowLimit: try cacheRows(configuration),
            recommendedLength: recommendedLength)
    }

    private var imageCount: Int { maxImages ?? maxSequences }

    private func cacheRows(_ configuration: GLM4VConfiguration) throws(EngineError) -> Int {
        // All patches of a picture share one position.
        let most = configuration.positionLimit + configuration.patchRowCount
        guard let contextTokens else { return most }
        try Self.check("the context length", contextTokens, in: 2...most)
        return contextTokens
    }

    private static func check(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws(EngineError) {
        guard range.contains(value) else {
            throw .invalidOption(
                option: option, expected: "from \(range.lowerBound) to \(range.upperBound)", got: "\(value)")
        }
    }
}
