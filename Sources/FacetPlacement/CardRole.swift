/// One way in which a device can take part: which kinds of units its two runs hold.
///
/// A chain is a few units that exist once with many equal layers between them:
///
///     vision    patch embedding | layer × n | projector
///     decoder   embedding | layer × n | norm | output layer
///
/// Runs that hold these kinds tile a chain exactly when every single unit is taken once and the layers' counts add up:
/// runs of layers alone may stand in any order. So a search need not try the orders of the devices, only which of them
/// takes which single units, and how many layers each takes. Only a run that holds both ends must hold every layer.
struct CardRole: Sendable, Hashable {
    /// How a run takes the layers of its chain.
    enum Layers: Sendable, Hashable {
        /// None.
        case none
        /// Any number of them.
        case some
        /// All of them.
        case all
    }

    let kinds: UnitKinds
    /// The single units, one bit each.
    let singles: Int
    let vision: Layers
    let decoder: Layers

    /// Bits of the single units.
    static let singleKinds: [UnitKind] = [.patchEmbedding, .projector, .tokenEmbedding, .finalNorm, .outputLayer]

    /// All single units.
    static let allSingles = (1 << singleKinds.count) - 1

    /// The role that takes nothing is not among them.
    static let all: [CardRole] = {
        let visions: [[UnitKind]] = [
            [], [.visionLayer], [.patchEmbedding], [.projector], [.patchEmbedding, .visionLayer],
            [.visionLayer, .projector], [.patchEmbedding, .visionLayer, .projector],
        ]
        let decoders: [[UnitKind]] = [
            [], [.decoderLayer], [.tokenEmbedding], [.finalNorm], [.outputLayer], [.finalNorm, .outputLayer],
            [.tokenEmbedding, .decoderLayer], [.decoderLayer, .finalNorm],
            [.decoderLayer, .finalNorm, .outputLayer], [.tokenEmbedding, .decoderLayer, .finalNorm],
            [.tokenEmbedding, .decoderLayer, .finalNorm, .outputLayer],
        ]
        return visions.flatMap { vision in
            decoders.compactMap { decoder in
                vision.isEmpty && decoder.isEmpty ? nil : CardRole(vision: vision, decoder: decoder)
            }
        }
    }()

    init(vision: [UnitKind], decoder: [UnitKind]) {
        let kinds = UnitKinds(vision + decoder)
        self.kinds = kinds
        singles = CardRole.singleKinds.indices.reduce(0) {
            $0 | (kinds.contains(CardRole.singleKinds[$1]) ? 1 << $1 : 0)
        }
        let wholeVision = vision.contains(.patchEmbedding) && vision.contains(.projector)
        let wholeDecoder = decoder.contains(.tokenEmbedding) && decoder.contains(.finalNorm)
        self.vision = vision.contains(.visionLayer) ? (wholeVision ? .all : .some) : .none
        self.decoder = decoder.contains(.decoderLayer) ? (wholeDecoder ? .all : .some) : .none
    }

    /// Hops into this device: one into each run that does not begin its chain, one for pictures' features.
    var hops: Int { (entersVision ? 1 : 0) + (entersDecoder ? 1 : 0) + (entersFeatures ? 1 : 0) }

    /// Whether the vision run is fed by another device.
    var entersVision: Bool { kinds.hasVision && !kinds.contains(.patchEmbedding) }

    /// Whether the decoder run is fed by another device.
    var entersDecoder: Bool { kinds.hasDecoder && !kinds.contains(.tokenEmbedding) }

    /// Whether pictures' features come from another device.
    var entersFeatures: Bool { kinds.contains(.tokenEmbedding) && !kinds.contains(.projector) }
}
