/// What the driver's libraries tell.
public struct GPUFacts: Sendable, Hashable, Codable {
    /// The driver's version, from its user library.
    public var driverVersion: String?
    /// The newest CUDA version that the driver serves, times 1000 plus 10 times the minor number: 12040 is 12.4.
    public var cudaVersion: Int?
    /// Libraries that computing needs.
    public var libraries: [LibraryFacts]?
    /// Compute capabilities, times ten, that kernels are there for; nil when they are compiled where they run.
    public var kernelCapabilities: [Int]?
    /// Every card, in the order of NVML.
    public var cards: [CardFacts]?
    /// Why CUDA does not start; nil when it does.
    public var startProblem: String?
    /// UUIDs of the cards that CUDA shows to this process, in its order.
    public var visibleCards: [String]?
    /// Connections among cards.
    public var peers: [PeerFacts]?
    /// What sums of two cards gave, each with the next one that CUDA shows.
    public var sums: [SumFacts]?
    /// Whether the driver is a simulation.
    public var isSimulated: Bool?

    /// Nothing known yet.
    public init() {}
}

/// A connection of two cards, in one direction.
public struct PeerFacts: Sendable, Hashable, Codable {
    /// What a checked copy gave.
    public enum Check: String, Sendable, Hashable, CaseIterable, Codable {
        case passed
        case differs
        case hangs
        case failed
    }

    /// The card that sends, by place in the list of cards.
    public var from: Int
    /// The card that receives.
    public var to: Int
    /// Whether the driver says that one card can address the other's memory.
    public var canAccess: Bool?
    /// Why not, in NVML's words.
    public var reason: String?
    /// Whether NVLink connects them.
    public var hasNvlink: Bool?
    /// What a copy with a known pattern gave; nil when none was made.
    public var check: Check?
    /// Bytes per second of a large copy.
    public var bytesPerSecond: Double?
    /// Seconds of a small one.
    public var latencySeconds: Double?

    /// A direction.
    public init(from: Int, to: Int) {
        self.from = from
        self.to = to
    }
}
