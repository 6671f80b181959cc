/// A change of the request that needs less memory.
public struct Remedy: Sendable, Hashable {
    /// What is changed.
    public enum Kind: Sendable, Hashable {
        /// Shorter prefill chunks and smaller vision tiles; no cost in quality.
        case smallerChunks(prefill: Int, visionTile: Int)
        /// Fewer new tokens per sequence.
        case fewerTokens(newTokens: Int)
        /// Fewer sequences at once.
        case fewerSequences(Int)
        /// Keys and values in 8 bits.
        case quantizedCache(CachePrecision)
        /// The vision chain is streamed from host memory.
        case streamedVision
        /// Weights in fewer bits.
        case quantizedWeights(PrecisionChoice)
        /// The decoder's layers are streamed too.
        case streamedDecoder
    }

    /// What is changed.
    public var kind: Kind
    /// Whether the model fits then.
    public var fits: Bool
    /// Bytes that each device lacks even then.
    public var deficitPerDevice: Int
    /// Bytes of host memory that streaming lacks, when that is all that is missing.
    public var hostDeficit: Int
    /// Predicted seconds to the first token with it; nil when it does not fit.
    public var timeToFirstToken: Double?
    /// Predicted seconds per token with it; nil when it does not fit.
    public var secondsPerToken: Double?
}

extension Remedy.Kind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .smallerChunks(let prefill, let tile): "prefill chunks of \(prefill) rows and vision tiles of \(tile) rows"
        case .fewerTokens(let count): "at most \(count) new tokens"
        case .fewerSequences(let count): "\(count) sequence\(count == 1 ? "" : "s") at once"
        case .quantizedCache(let precision): "an \(precision.rawValue) key/value cache"
        case .streamedVision: "vision streamed from host memory"
        case .quantizedWeights(let precision): "weights in \(precision)"
        case .streamedDecoder: "vision and decoder layers streamed from host memory"
        }
    }
}
