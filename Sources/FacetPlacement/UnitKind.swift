/// What a unit is; units of one kind have the same size.
public enum UnitKind: Int, Sendable, Hashable, CaseIterable {
    /// Patch projection, class token and position embedding.
    case patchEmbedding
    /// A layer of the vision tower.
    case visionLayer
    /// Convolution, adapter, begin and end rows.
    case projector
    /// The token embedding.
    case tokenEmbedding
    /// A layer of the decoder.
    case decoderLayer
    /// The norm after the last layer.
    case finalNorm
    /// The output layer.
    case outputLayer

    /// Whether the unit belongs to the vision chain.
    public var isVision: Bool { rawValue <= UnitKind.projector.rawValue }

    /// Whether the model has many of it.
    public var isLayer: Bool { self == .visionLayer || self == .decoderLayer }
}

extension UnitName {
    /// The unit's kind.
    public var kind: UnitKind {
        switch self {
        case .patchEmbedding: .patchEmbedding
        case .visionLayer: .visionLayer
        case .projector: .projector
        case .tokenEmbedding: .tokenEmbedding
        case .decoderLayer: .decoderLayer
        case .finalNorm: .finalNorm
        case .outputLayer: .outputLayer
        }
    }
}

/// The kinds of units that a device holds: what its activations and tables depend on.
public struct UnitKinds: OptionSet, Sendable, Hashable {
    /// One bit per kind, at the kind's raw value.
    public let rawValue: UInt8

    /// Makes a set of bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Makes a set of one kind.
    public init(_ kind: UnitKind) { rawValue = 1 << UInt8(kind.rawValue) }

    /// Makes a set of several kinds.
    public init(_ kinds: [UnitKind]) { self = kinds.reduce(into: []) { $0.insert(UnitKinds($1)) } }

    /// Every unit of the vision chain.
    public static let vision = UnitKinds([.patchEmbedding, .visionLayer, .projector])

    /// Every unit of the decoder chain.
    public static let decoder = UnitKinds([.tokenEmbedding, .decoderLayer, .finalNorm, .outputLayer])

    /// Every unit.
    public static let all = vision.union(decoder)

    /// How many sets there are.
    static let count = 1 << UnitKind.allCases.count

    /// Whether a kind is in the set.
    public func contains(_ kind: UnitKind) -> Bool { rawValue >> UInt8(kind.rawValue) & 1 == 1 }

    /// Whether any unit of the vision chain is in the set.
    public var hasVision: Bool { !isDisjoint(with: .vision) }

    /// Whether any unit of the decoder chain is in the set.
    public var hasDecoder: Bool { !isDisjoint(with: .decoder) }
}

/// One value for each kind of unit.
public struct PerKind<Value: Sendable>: Sendable {
    private var values: [Value]

    /// The same value for every kind.
    public init(repeating value: Value) { values = Array(repeating: value, count: UnitKind.allCases.count) }

    /// A value computed for each kind.
    public init(_ value: (UnitKind) -> Value) { values = UnitKind.allCases.map(value) }

    /// The value of a kind.
    public subscript(kind: UnitKind) -> Value {
        get { values[kind.rawValue] }
        set { values[kind.rawValue] = newValue }
    }
}

extension PerKind: Equatable where Value: Equatable {}
extension PerKind: Hashable where Value: Hashable {}
