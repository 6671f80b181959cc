import CCUDA
public import FacetTensor
import Synchronization

/// All the memory that this program takes of a card, taken at once and given away in parts.
///
/// Taking the whole budget before anything else makes running out of memory a matter of starting, not of the middle of
/// an answer, whatever other programs do. A part begins at a multiple of 256 bytes and takes a multiple of 256: that is
/// what `use` counts, and what a plan must ask for (`roundedByteCount`).
///
/// Parts may be let go of on any thread; their bytes are free at once, so whoever lets go has waited for the streams
/// that use them, or reuses them on the same stream only.
public final class DeviceArena: Sendable {
    /// The card.
    public let context: CUDAContext

    /// First byte of the whole.
    public let base: DeviceAddress

    private let map: Mutex<ArenaMap>
    private let returns = Atomic<Int>(0)
    private let readers = Mutex<[CUDAContext]>([])

    /// Takes memory from the card.
    ///
    /// - Parameter byteCount: the whole budget; cut to a multiple of 256.
    /// - Throws: `.outOfMemory` with what is free.
    public init(_ context: CUDAContext, byteCount: Int) throws(CUDAError) {
        let map = ArenaMap(byteCount: byteCount)
        guard map.byteCount > 0 else {
            throw .invalidArgument(
                call: "DeviceArena", argument: "byteCount", expected: "at least \(ArenaMap.alignment)",
                got: "\(byteCount)")
        }
        var address: CUdeviceptr = 0
        let result = try context.query("cuMemAlloc") { $0.pointee.memAlloc(&address, map.byteCount) }
        if result == CUDA_ERROR_OUT_OF_MEMORY {
            throw .outOfMemory(
                device: context.device, label: "the memory budget", byteCount: map.byteCount,
                freeByteCount: try context.memory().free)
        }
        try context.check(result, "cuMemAlloc")
        self.context = context
        base = DeviceAddress(address)
        self.map = Mutex(map)
    }

    /// Waits for the cards: after an error, nobody else has waited for what still uses the memory.
    deinit {
        for user in readers.withLock({ $0 }) + [context] { user.release { $0.pointee.ctxSynchronize() } }
        context.release { $0.pointee.memFree(base.value) }
    }

    /// What a part of so many bytes takes of the budget.
    public static func roundedByteCount(_ byteCount: Int) -> Int { ArenaMap.rounded(byteCount) }

    /// What has been given away.
    public var use: MemoryUse {
        map.withLock {
            MemoryUse(
                usedByteCount: $0.usedByteCount, peakByteCount: $0.peakByteCount, budgetByteCount: $0.byteCount,
                countsWeights: true)
        }
    }

    /// Gives away a part; its bytes are whatever they were.
    ///
    /// - Parameter label: names the part in the error.
    /// - Throws: `.outOfMemory` with the longest part that is free.
    public func allocate(_ byteCount: Int, label: String) throws(CUDAError) -> DeviceBuffer {
        let (part, largest) = map.withLock { ($0.take(byteCount), $0.largestFreeByteCount) }
        guard let part else {
            throw .outOfMemory(
                device: context.device, label: label, byteCount: byteCount, freeByteCount: largest)
        }
        return DeviceBuffer(self, part: part, byteCount: byteCount)
    }

    /// Says that another card copies from this one's memory by itself.
    func addReader(_ context: CUDAContext) { readers.withLock { $0.append(context) } }

    /// How often a part has come back: while this does not change, what is given away has never been used before.
    var returnCount: Int { returns.load(ordering: .acquiring) }

    fileprivate func giveBack(_ part: Range<Int>) {
        returns.add(1, ordering: .acquiringAndReleasing)
        map.withLock { $0.giveBack(part) }
    }
}

/// A part of an arena; goes back to it with its last owner.
public final class DeviceBuffer: Sendable {
    /// First byte; a multiple of 256.
    public let address: DeviceAddress

    /// Bytes that were asked for.
    public let byteCount: Int

    /// The arena that it is a part of.
    public let arena: DeviceArena

    private let part: Range<Int>

    fileprivate init(_ arena: DeviceArena, part: Range<Int>, byteCount: Int) {
        self.arena = arena
        self.part = part
        self.byteCount = byteCount
        address = arena.base + part.lowerBound
    }

    deinit { arena.giveBack(part) }
}
