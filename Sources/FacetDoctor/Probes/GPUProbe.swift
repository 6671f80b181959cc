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
}
