/// A part of the model that stays together: what is prefetched, dropped and reported as one.
///
/// The order of `allUnits(of:)` is the order of execution for a prompt with a picture.
public enum ModelUnit: Sendable, Hashable {
    /// Patch projection, class token and position embedding of the vision tower.
    case patchEmbedding
    /// One layer of the vision tower.
    case visionLayer(Int)
    /// The 2 × 2 convolution, the gated adapter, and the begin and end rows.
    case projector
    /// The token embedding.
    case tokenEmbedding
    /// One decoder layer.
    case decoderLayer(Int)
    /// The final norm and the output layer.
    case outputLayer

    /// All units of a model in the order of execution.
    public static func allUnits(of configuration: GLM4VConfiguration) -> [ModelUnit] {
        visionUnits(of: configuration) + decoderUnits(of: configuration)
    }

    /// The units that encode a picture, in order.
    static func visionUnits(of configuration: GLM4VConfiguration) -> [ModelUnit] {
        [.patchEmbedding] + (0..<configuration.vision.layerCount).map(ModelUnit.visionLayer) + [.projector]
    }

    /// The units of every decoder step, in order.
    static func decoderUnits(of configuration: GLM4VConfiguration) -> [ModelUnit] {
        [.tokenEmbedding] + (0..<configuration.layerCount).map(ModelUnit.decoderLayer) + [.outputLayer]
    }

    /// The part of the model that the unit belongs to.
    public var part: ModelPart {
        switch self {
        case .patchEmbedding: .patchEmbedding
        case .visionLayer: .visionLayers
        case .projector: .projector
        case .tokenEmbedding: .tokenEmbedding
        case .decoderLayer: .decoderLayers
        case .outputLayer: .outputLayer
        }
    }
}

extension ModelUnit: CustomStringConvertible {
    public var description: String {
        switch self {
        case .visionLayer(let index): "vision layer \(index)"
        case .decoderLayer(let index): "decoder layer \(index)"
        default: part.rawValue
        }
    }
}

/// Units of one kind, as reports list them; the raw value is the name that is shown.
public enum ModelPart: String, Sendable, Hashable, CaseIterable {
    case patchEmbedding = "patch embedding"
    case visionLayers = "vision layers"
    case projector
    case tokenEmbedding = "token embedding"
    case decoderLayers = "decoder layers"
    case outputLayer = "output layer"
}
