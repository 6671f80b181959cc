/// All that planning needs to know of a model: its units and the widths that the formulas ask for.
public struct ModelDescription: Sendable, Hashable {
    /// One unit of each kind.
    public var units: PerKind<PlacementUnit>
    /// Layers of the vision tower.
    public var visionLayerCount: Int
    /// Layers of the decoder.
    public var decoderLayerCount: Int
    /// Sizes of the vision tower.
    public var vision: VisionWidths
    /// Sizes of the decoder.
    public var decoder: DecoderWidths
    /// Tokens that one sequence can have at most, the rows of its pictures included.
    public var tokenLimit: Int

    /// Describes a model.
    ///
    /// - Precondition: each chain has a layer.
    public init(
        units: PerKind<PlacementUnit>, visionLayerCount: Int, decoderLayerCount: Int, vision: VisionWidths,
        decoder: DecoderWidths, tokenLimit: Int
    ) {
        precondition(visionLayerCount > 0 && decoderLayerCount > 0, "each chain has a layer")
        self.units = units
        self.visionLayerCount = visionLayerCount
        self.decoderLayerCount = decoderLayerCount
        self.vision = vision
        self.decoder = decoder
        self.tokenLimit = tokenLimit
    }

    /// Both chains, in the order of execution.
    public var unitNames: [UnitName] {
        UnitName.visionChain(layerCount: visionLayerCount) + UnitName.decoderChain(layerCount: decoderLayerCount)
    }

    /// How many units of a kind there are.
    public func count(of kind: UnitKind) -> Int {
        switch kind {
        case .visionLayer: visionLayerCount
        case .decoderLayer: decoderLayerCount
        default: 1
        }
    }

    /// Bytes of one unit of a kind.
    public func byteCount(_ kind: UnitKind, _ precision: PrecisionChoice) -> Int {
        units[kind].byteCount(precision[kind])
    }

    /// Bytes of all weights.
    public func byteCount(_ precision: PrecisionChoice) -> Int {
        UnitKind.allCases.reduce(0) { $0 + count(of: $1) * byteCount($1, precision) }
    }

    /// Bytes that one decode step reads of the weights: the decoder chain without the embedding's table.
    public func decodeByteCount(_ precision: PrecisionChoice) -> Int {
        [UnitKind.decoderLayer, .finalNorm, .outputLayer].reduce(0) { $0 + count(of: $1) * byteCount($1, precision) }
    }
}

/// Sizes of the vision tower.
public struct VisionWidths: Sendable, Hashable {
    /// Rows of the tower: the class token and every patch.
    public var rows: Int
    /// Width of the residual stream.
    public var width: Int
    /// Attention heads.
    public var heads: Int
    /// Inner width of the feed-forward block.
    public var intermediate: Int
    /// Elements of a flattened patch.
    public var patchElements: Int
    /// Rows that a picture takes in the prompt, begin and end rows included.
    public var imageRows: Int

    /// Names the sizes.
    public init(rows: Int, width: Int, heads: Int, intermediate: Int, patchElements: Int, imageRows: Int) {
        self.rows = rows
        self.width = width
        self.heads = heads
        self.intermediate = intermediate
        self.patchElements = patchElements
        self.imageRows = imageRows
    }
}

/// Sizes of the decoder.
public struct DecoderWidths: Sendable, Hashable {
    /// Width of the residual stream.
    public var hidden: Int
    /// Inner width of the feed-forward block.
    public var intermediate: Int
    /// Query heads.
    public var heads: Int
    /// Key/value heads.
    public var groups: Int
    /// Elements of a head.
    public var headDimension: Int
    /// Rows of the output layer.
    public var vocabulary: Int

    /// Names the sizes.
    public init(hidden: Int, intermediate: Int, heads: Int, groups: Int, headDimension: Int, vocabulary: Int) {
        self.hidden = hidden
        self.intermediate = intermediate
        self.heads = heads
        self.groups = groups
        self.headDimension = headDimension
        self.vocabulary = vocabulary
    }

    /// Width of the fused query/key/value projection.
    public var projectionWidth: Int { (heads + 2 * groups) * headDimension }

    /// Bytes that one token takes in one layer's cache.
    public func cacheByteCount(_ precision: CachePrecision) -> Int {
        2 * groups * precision.byteCount(headDimension: headDimension)
    }
}
