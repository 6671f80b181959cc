/// A part of the model that is never cut: what a plan puts on a device as a whole.
///
/// The two chains are the orders of execution: a picture passes the vision chain, every token passes the decoder
/// chain. The raw names (`description`) are stable: they appear in plans, reports and errors.
public enum UnitName: Sendable, Hashable {
    /// Patch projection, class token and position embedding of the vision tower.
    case patchEmbedding
    /// One layer of the vision tower.
    case visionLayer(Int)
    /// The 2 × 2 convolution, the gated adapter, and the begin and end rows.
    case projector
    /// The token embedding; pictures' rows are put among its rows where it lives.
    case tokenEmbedding
    /// One decoder layer; its keys and values live where it does.
    case decoderLayer(Int)
    /// The norm after the last decoder layer.
    case finalNorm
    /// The output layer; the logits live where it does.
    case outputLayer

    /// The vision chain of a tower with `layerCount` layers, in order.
    public static func visionChain(layerCount: Int) -> [UnitName] {
        [.patchEmbedding] + (0..<layerCount).map(UnitName.visionLayer) + [.projector]
    }

    /// The decoder chain of `layerCount` layers, in order.
    public static func decoderChain(layerCount: Int) -> [UnitName] {
        [.tokenEmbedding] + (0..<layerCount).map(UnitName.decoderLayer) + [.finalNorm, .outputLayer]
    }
}

extension UnitName: CustomStringConvertible {
    public var description: String {
        switch self {
        case .patchEmbedding: "vision.patch_embedding"
        case .visionLayer(let index): "vision.layers.\(index)"
        case .projector: "vision.projector"
        case .tokenEmbedding: "embedding"
        case .decoderLayer(let index): "decoder.layers.\(index)"
        case .finalNorm: "final_norm"
        case .outputLayer: "output_layer"
        }
    }
}
