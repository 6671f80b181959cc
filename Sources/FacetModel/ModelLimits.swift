public import FacetPlacement
public import FacetTensor

/// How much a model may be asked to do at once: what all memory is sized by before the first token.
public struct ModelLimits: Sendable, Hashable {
    /// Rows of one forward: the longest prefill chunk.
    public var maxRows: Int

    /// Sequences of one forward.
    public var maxSequences: Int

    /// Rows of one forward whose logits can be kept.
    public var maxSampledRows: Int

    /// Tokens that a page of the cache holds.
    public var pageSize: Int

    /// Pages of the cache.
    public var pageCount: Int

    /// Pictures whose features stay resident.
    public var maxImages: Int

    /// Rows of a picture that pass the feed-forward blocks at once.
    public var visionTileRows: Int

    /// Whether keys and values are kept as bytes, with a scale per token and head.
    public var quantizesCache: Bool

    /// Makes limits.
    ///
    /// - Parameter maxSampledRows: nil for one row per sequence.
    /// - Precondition: every number is positive (`maxImages` may be 0) and below 2³¹.
    public init(
        maxRows: Int = 512, maxSequences: Int = 1, maxSampledRows: Int? = nil, pageSize: Int = 16, pageCount: Int,
        maxImages: Int = 1, visionTileRows: Int = 512, quantizesCache: Bool = false
    ) {
        let sampled = maxSampledRows ?? maxSequences
        for count in [maxRows, maxSequences, sampled, pageSize, pageCount, visionTileRows, maxImages + 1] {
            precondition((1..<1 << 31).contains(count), "a limit of the model is \(count)")
        }
        precondition(pageSize.multipliedReportingOverflow(by: pageCount).partialValue < 1 << 31, "slots are int32")
        self.maxRows = maxRows
        self.maxSequences = maxSequences
        self.maxSampledRows = sampled
        self.pageSize = pageSize
        self.pageCount = pageCount
        self.maxImages = maxImages
        self.visionTileRows = visionTileRows
        self.quantizesCache = quantizesCache
    }

    /// Limits for one conversation that may fill the model's positions, a picture included.
    ///
    /// - Parameter tokenCount: most tokens in the cache; nil for all that the positions and one picture allow.
    public init(configuration: GLM4VConfiguration, tokenCount: Int? = nil, pageSize: Int = 16) {
        let most = configuration.positionLimit + configuration.patchRowCount
        let tokens = min(max(1, tokenCount ?? most), most)
        self.init(pageSize: pageSize, pageCount: (tokens + pageSize - 1) / pageSize)
    }

    /// Tokens that the cache holds.
    public var slotCount: Int { pageSize * pageCount }

    /// Pages that a sequence can use at most.
    public func pagesPerSequence(_ configuration: GLM4VConfiguration) -> Int {
        let tokens = configuration.positionLimit + configuration.patchRowCount
        return min(pageCount, (tokens + pageSize - 1) / pageSize)
    }

    /// Every block of memory that running the model takes besides its weights, in bytes.
    ///
    /// These are the sizes that are allocated, not estimates.
    /// - Parameter dtype: type of the activations, and of the cache unless it is quantized.
    public func byteCounts(configuration: GLM4VConfiguration, dtype: DType) -> [MemoryTerm] {
        byteCounts(configuration: configuration, dtype: dtype, units: Set(UnitName.allUnits(of: configuration)))
    }

    /// Every block of memory that a device with some of the units takes besides weights, in bytes.
    ///
    /// The cache lies with its layers, pictures' features with the token embedding, a rotary table with any layer.
    /// - Parameters:
    ///   - dtype: type of the activations, and of the cache unless it is quantized.
    ///   - units: the units that the device computes.
    public func byteCounts(
        configuration: GLM4VConfiguration, dtype: DType, units: Set<UnitName>
    ) -> [MemoryTerm] {
        let layout = WorkspaceLayout(configuration, self, dtype, units: units)
        let layerCount = units.count(where: \.isDecoderLayer)
        let cache = layerCount * KVCache.byteCountPerLayer(configuration, self, dtype)
        let feature = FeatureStore.shape(configuration).elementCount * dtype.byteCount
        let table = configuration.positionLimit * configuration.rotatedDimension * DType.float32.byteCount
        return [
            MemoryTerm(name: "workspace", byteCount: layout.byteCount),
            MemoryTerm(name: "key/value cache", byteCount: cache),
            MemoryTerm(name: "picture features", byteCount: units.contains(.tokenEmbedding) ? maxImages * feature : 0),
            MemoryTerm(name: "rotary table", byteCount: layerCount > 0 ? table : 0),
        ]
    }
}

/// A named block of memory.
public struct MemoryTerm: Sendable, Hashable {
    /// What the memory is for.
    public let name: String

    /// Its length.
    public let byteCount: Int

    /// Names a block of memory.
    public init(name: String, byteCount: Int) {
        self.name = name
        self.byteCount = byteCount
    }
}
