public import FacetPlacement

extension UnitName {
    /// All units of a model in the order of execution for a prompt with a picture.
    public static func allUnits(of configuration: GLM4VConfiguration) -> [UnitName] {
        visionUnits(of: configuration) + decoderUnits(of: configuration)
    }

    /// The units that encode a picture, in order.
    static func visionUnits(of configuration: GLM4VConfiguration) -> [UnitName] {
        visionChain(layerCount: configuration.vision.layerCount)
    }

    /// The units of every decoder step, in order.
    static func decoderUnits(of configuration: GLM4VConfiguration) -> [UnitName] {
        decoderChain(layerCount: configuration.layerCount)
    }

    /// The part of the model that the unit belongs to.
    public var part: ModelPart {
        switch self {
        case .patchEmbedding: .patchEmbedding
        case .visionLayer: .visionLayers
        case .projector: .projector
        case .tokenEmbedding: .tokenEmbedding
        case .decoderLayer: .decoderLayers
        case .finalNorm, .outputLayer: .outputLayer
        }
    }

    /// Whether this is a layer of the vision tower.
    var isVisionLayer: Bool { part == .visionLayers }

    /// Whether this is a layer of the decoder.
    var isDecoderLayer: Bool { part == .decoderLayers }
}

/// Units of one kind, as reports list them; the raw value is the name that is shown.
public enum ModelPart: String, Sendable, Hashable, CaseIterable {
    case patchEmbedding = "patch embedding"
    case visionLayers = "vision layers"
    case projector
    case tokenEmbedding = "token embedding"
    case decoderLayers = "decoder layers"
    /// The final norm and the output layer.
    case outputLayer = "output layer"
}
