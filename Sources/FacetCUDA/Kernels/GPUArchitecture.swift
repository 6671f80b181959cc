/// What compiled code is made for, as the compiler names it: `sm_90a`.
public struct GPUArchitecture: Sendable, Hashable {
    /// The capability that the code needs.
    public let capability: ComputeCapability

    /// The number of a capability as compilers list it: 89 for 8.9, 120 for 12.0.
    var number: Int { capability.major * 10 + capability.minor }

    /// Names the architecture of a capability.
    public init(_ capability: ComputeCapability) { self.capability = capability }

    /// The best code for a card that a compiler can make: for the card itself, or for an older member of its generation,
    /// since code runs on younger members of the generation it was made for.
    ///
    /// - Parameter supported: numbers as the compiler lists them.
    /// - Returns: nil when there is none.
    public init?(of card: ComputeCapability, supported: [Int]) {
        let own = GPUArchitecture(card).number
        let usable = supported.filter { $0 / 10 == card.major && $0 <= own }
        guard let best = usable.max() else { return nil }
        self.init(ComputeCapability(best / 10, best % 10))
    }
}

extension GPUArchitecture: CustomStringConvertible {
    /// With an `a` for Hopper, whose own matrix instructions no other generation has.
    public var description: String { "sm_\(number)" + (capability == ComputeCapability(9, 0) ? "a" : "") }
}
