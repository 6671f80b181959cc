/// Which attention a device runs: what decides whether a score matrix is ever stored.
public enum AttentionKind: String, Sendable, Hashable, CaseIterable {
    /// Scores live in registers or caches.
    case fused
    /// Scores and probabilities of all heads are stored.
    case materialized
}

/// What the model shall be able to do at once.
public struct Workload: Sendable, Hashable {
    /// Sequences served at once.
    public var sequences: Int
    /// Pictures of each.
    public var imagesPerSequence: Int
    /// Tokens of each prompt, without the rows of the pictures.
    public var textTokens: Int
    /// Most new tokens of each.
    public var newTokens: Int
    /// Rows of a prefill chunk; nil for the whole prompt at once.
    public var prefillChunk: Int?
    /// Which attention runs.
    public var attention: AttentionKind
    /// Rows of a picture that pass a feed-forward block at once; nil for all.
    public var visionTileRows: Int?
    /// Pictures encoded at once.
    public var imageBatch: Int
    /// How keys and values are stored.
    public var cachePrecision: CachePrecision
    /// Tokens of a page of the cache.
    public var pageSize: Int

    /// Describes a workload; the defaults are one conversation about one picture.
    ///
    /// - Precondition: counts are positive; pictures, text and new tokens may be 0.
    public init(
        sequences: Int = 1, imagesPerSequence: Int = 1, textTokens: Int = 48, newTokens: Int = 398,
        prefillChunk: Int? = 512, attention: AttentionKind = .fused, visionTileRows: Int? = 512, imageBatch: Int = 1,
        cachePrecision: CachePrecision = .bfloat16, pageSize: Int = 16
    ) {
        precondition(sequences > 0 && imageBatch > 0 && pageSize > 0, "a workload has positive counts")
        precondition(imagesPerSequence >= 0 && textTokens >= 0 && newTokens >= 0, "a workload has no negative count")
        self.sequences = sequences
        self.imagesPerSequence = imagesPerSequence
        self.textTokens = textTokens
        self.newTokens = newTokens
        self.prefillChunk = prefillChunk
        self.attention = attention
        self.visionTileRows = visionTileRows
        self.imageBatch = imageBatch
        self.cachePrecision = cachePrecision
        self.pageSize = pageSize
    }

    /// Tokens of a prompt, the rows of its pictures included.
    public func promptTokens(_ model: ModelDescription) -> Int {
        imagesPerSequence * model.vision.imageRows + textTokens
    }

    /// Slots of the cache that one sequence takes: prompt and answer, in whole pages.
    public func capacityPerSequence(_ model: ModelDescription) -> Int {
        (promptTokens(model) + newTokens).dividedUp(by: pageSize) * pageSize
    }

    /// Slots of the cache for all sequences.
    public func capacity(_ model: ModelDescription) -> Int { sequences * capacityPerSequence(model) }

    /// Rows of the largest forward of the decoder.
    public func chunkRows(_ model: ModelDescription) -> Int {
        let prompt = max(1, promptTokens(model))
        return max(sequences, min(prefillChunk ?? sequences * prompt, sequences * prompt))
    }
}
