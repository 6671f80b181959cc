/// What a device has given away of its memory.
public struct MemoryUse: Sendable, Hashable {
    /// Bytes that tensors hold now.
    public let usedByteCount: Int

    /// The most that they have held at a time.
    public let peakByteCount: Int

    /// Bytes that may be held; nil for no limit but the machine's.
    public let budgetByteCount: Int?

    /// Whether bound weights are copied to the device and count; false where they are used from where they were.
    public let countsWeights: Bool

    /// Describes a device's memory.
    public init(usedByteCount: Int, peakByteCount: Int, budgetByteCount: Int?, countsWeights: Bool) {
        self.usedByteCount = usedByteCount
        self.peakByteCount = peakByteCount
        self.budgetByteCount = budgetByteCount
        self.countsWeights = countsWeights
    }
}

/// Counts the bytes that a device gives away and takes back, and refuses those beyond its budget.
///
/// Storages return their bytes on whichever thread lets go of them last.
///
/// `@unchecked`: the counts are touched under the lock only.
package final class MemoryAccount: @unchecked Sendable {
    /// The limit; nil for none.
    package let budget: Int?

    private let monitor = Monitor()
    private var used = 0
    private var peak = 0

    /// Opens an account that holds nothing.
    package init(budget: Int?) { self.budget = budget }

    /// Bytes held now, and at most so far.
    package var counts: (used: Int, peak: Int) { monitor.withLock { (used, peak) } }

    /// Takes bytes.
    ///
    /// - Throws: `.outOfMemory` with `label` when they exceed the budget; nothing is taken then.
    package func take(_ byteCount: Int, label: String, device: DeviceID) throws(TensorError) {
        let fits = monitor.withLock {
            if let budget, byteCount > budget - used { return false }
            used += byteCount
            peak = max(peak, used)
            return true
        }
        if !fits { throw .outOfMemory(label: label, byteCount: byteCount, device: device) }
    }

    /// Gives bytes back.
    package func giveBack(_ byteCount: Int) { monitor.withLock { used -= byteCount } }
}
