/// Which units keep their weights off the device and copy them for each use.
public struct Streaming: Sendable, Hashable {
    /// Kinds that are streamed.
    public var kinds: UnitKinds
    /// From where.
    public var source: UnitPlacement.Residency

    /// Streams units of some kinds.
    public init(_ kinds: UnitKinds, from source: UnitPlacement.Residency = .host) {
        self.kinds = kinds
        self.source = source
    }

    /// Nothing is streamed.
    public static let none = Streaming([])

    /// Every unit of the vision chain is.
    public static let vision = Streaming(.vision)

    /// The vision chain and the decoder's layers are.
    public static let visionAndDecoderLayers = Streaming(UnitKinds.vision.union(UnitKinds(.decoderLayer)))
}

/// When a chain may be streamed.
public enum StreamingPolicy: String, Sendable, Hashable, CaseIterable {
    /// Not at all: a plan that would need it is refused.
    case never
    /// When no plan fits without.
    case ifNeeded
    /// Always.
    case always
}
