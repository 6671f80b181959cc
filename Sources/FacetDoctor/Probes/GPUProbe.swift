public import FacetTensor

/// Cards that were started to compute something small.
public struct ReadyCards {
    /// One for each card, in the order in which they were asked for.
    public var backends: [any Backend]
    /// The 16-bit type that the first computes in.
    public var dtype: DType
    /// How bytes get from the first to the second, and why so; nil for one card.
    public var transport: String?

    /// Names them.
    public init(_ backends: [any Backend], dtype: DType, transport: String? = nil) {
        self.backends = backends
        self.dtype = dtype
        self.transport = transport
    }
}

/// A card that is in order and cannot be used now.
public struct CardUnavailable: Error, Sendable, CustomStringConvertible {
    /// What stands in the way.
    public let description: String

    /// Says why.
    public init(_ reason: String) { description = reason }
}

/// Asks the driver's libraries about the cards; whoever can compute on cards supplies one.
///
/// Where facts come from, when it is not their name that tells:
///
///     GPUFacts.cudaVersion          cuDriverGetVersion
///     GPUFacts.visibleCards         cuDeviceGetUuid_v2 of each device; nil unless cuInit worked
///     CardFacts.freeBytes           nvmlDeviceGetMemoryInfo_v2: needs no context, counts all processes
///     CardFacts.processes           nvmlDeviceGetComputeRunningProcesses and …GraphicsRunningProcesses; usedBytes is nil
///                                   where NVML says "not available", as in containers
///     CardFacts.hasDisplay          nvmlDeviceGetDisplayActive
///     CardFacts.isDivided           nvmlDeviceGetMigMode; nil where it answers "not supported"
///     MemoryErrors.uncorrected      nvmlDeviceGetTotalEccErrors, uncorrected, volatile; uncorrectedEver: aggregate
///     MemoryErrors.isRemapPending   nvmlDeviceGetRemappedRows, or pending retired pages before Ampere
///     CardFacts.throttleReasons     nvmlDeviceGetCurrentClocksThrottleReasons, bit by bit; with "thermal", "brake" or
///                                   "slowdown" in the names of those that a person must act upon
///     CardFacts.power…              milliwatts in NVML
///     PeerFacts.canAccess           cuDeviceCanAccessPeer; reason: nvmlDeviceGetP2PStatus in words
///     PeerFacts.check               a pattern there and back, compared
public protocol GPUProbe: Sendable {
    /// Everything about the cards that can be asked without copying among them.
    ///
    /// Called on a thread of its own, which is given up when it takes too long. What cannot be read stays nil; cards and
    /// their NVML data are joined by UUID, never by index.
    /// - Returns: nil where the driver's libraries are not installed; the rows about the bus then say whether they are
    ///   missed.
    /// - Throws: when the libraries are there and nothing can be asked; the error's text becomes part of the report.
    func facts() throws -> GPUFacts?

    /// Every ordered pair of cards: what the driver says of it, and what a copy with a known pattern gave.
    ///
    /// Called only when `facts` found more than one card, likewise on a thread of its own.
    /// - Throws: when no pair can be tried.
    func peers() throws -> [PeerFacts]

    /// Starts cards that CUDA shows, so that small things can be computed on them; likewise on a thread of its own.
    ///
    /// - Parameter uuids: of cards or of instances, as in `GPUFacts.visibleCards`.
    /// - Throws: `CardUnavailable` for cards that others use; anything else is a failure of the card.
    func start(_ uuids: [String]) throws -> ReadyCards

    /// A card's connection to the host as it is at this moment.
    ///
    /// - Returns: nil where NVML does not tell.
    func link(_ uuid: String) throws -> LinkFacts?
}
