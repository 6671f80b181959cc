import CCUDA
public import FacetTensor
import Synchronization

/// All the memory that this program takes of a card, taken at once and given away in parts.
///
/// Taking the whole budget before anything else makes running out of memory a matter of starting, not of the middle of
/// an answer, whatever other programs do. A part begins at a multiple of 256 bytes and takes a multiple of 256; `use`
/// counts the bytes that were asked for, as plans do, and a reserve beside the budget makes up for the difference and
/// holds what its owner needs for itself.
///
/// Parts may be let go of on any thread; their bytes are free at once, so whoever lets go has waited for the streams
/// that use them, or reuses them on the same stream only.
public final class DeviceArena: Sendable {
    /// The card.
    public let context: CUDAContext

    /// First byte of the whole.
    public let base: DeviceAddress

    private let map: Mutex<ArenaMap>
    private let account: MemoryAccount
    private let returns = Atomic<Int>(0)
    private let reader = Mutex<ArenaReader?>(nil)
    private let readers = Mutex<[CUDAContext]>([])

    /// Takes memory from the card.
    ///
    /// - Parameters:
    ///   - byteCount: the budget that `use` counts against.
    ///   - reserveByteCount: taken besides; the sum is cut to a multiple of 256.
    /// - Throws: `.outOfMemory` with what is free.
    public init(_ context: CUDAContext, byteCount: Int, reserveByteCount: Int = 0) throws(CUDAError) {
        let map = ArenaMap(byteCount: byteCount + reserveByteCount)
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
        account = MemoryAccount(budget: reserveByteCount == 0 ? map.byteCount : byteCount)
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
        let counts = account.counts
        return MemoryUse(
            usedByteCount: counts.used, peakByteCount: counts.peak, budgetByteCount: account.budget,
            countsWeights: true)
    }

    /// Gives away a part; its bytes are whatever they were.
    ///
    /// - Parameters:
    ///   - label: names the part in the error.
    ///   - countedByteCount: what it counts for in the budget; nil for all of it, 0 for what the reserve is for.
    /// - Throws: `.outOfMemory` with what is left of the budget, or the longest part that is free.
    public func allocate(
        _ byteCount: Int, label: String, countedByteCount: Int? = nil
    ) throws(CUDAError) -> DeviceBuffer {
        let counted = countedByteCount ?? byteCount
        let (part, largest) = map.withLock { ($0.take(byteCount), $0.largestFreeByteCount) }
        guard let part else {
            throw .outOfMemory(
                device: context.device, label: label, byteCount: byteCount, freeByteCount: largest)
        }
        do throws(TensorError) { try account.take(counted, label: label, device: context.device) } catch {
            map.withLock { $0.giveBack(part) }
            let use = use
            throw .outOfMemory(
                device: context.device, label: label, byteCount: counted,
                freeByteCount: (use.budgetByteCount ?? 0) - use.usedByteCount)
        }
        return DeviceBuffer(self, part: part, byteCount: byteCount, countedByteCount: counted)
    }

    /// Waits until bytes of the arena have come to the host; any thread may ask, one at a time is served.
    func read(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer) throws(CUDAError) {
        try reader.withLock { (reader) throws(CUDAError) in
            let opened = if let reader { reader } else { try ArenaReader(context) }
            reader = opened
            try opened.read(address, into: bytes)
        }
    }

    /// Says that another card copies from this one's memory by itself.
    func addReader(_ context: CUDAContext) { readers.withLock { $0.append(context) } }

    /// How often a part has come back: while this does not change, what is given away has never been used before.
    var returnCount: Int { returns.load(ordering: .acquiring) }

    fileprivate func giveBack(_ part: Range<Int>, countedByteCount: Int) {
        returns.add(1, ordering: .acquiringAndReleasing)
        account.giveBack(countedByteCount)
        map.withLock { $0.giveBack(part) }
    }
}

/// A part of an arena; goes back to it with its last owner.
public final class DeviceBuffer: DistantMemory {
    /// First byte; a multiple of 256.
    public let address: DeviceAddress

    /// Bytes that were asked for.
    public let byteCount: Int

    /// The arena that it is a part of.
    public let arena: DeviceArena

    private let part: Range<Int>
    private let countedByteCount: Int

    fileprivate init(_ arena: DeviceArena, part: Range<Int>, byteCount: Int, countedByteCount: Int) {
        self.arena = arena
        self.part = part
        self.countedByteCount = countedByteCount
        self.byteCount = byteCount
        address = arena.base + part.lowerBound
    }

    package func read(at address: UInt, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        do throws(CUDAError) {
            try arena.read(DeviceAddress(UInt64(address)), into: bytes)
        } catch { throw error.asTensorError(arena.context.device) }
    }

    deinit { arena.giveBack(part, countedByteCount: countedByteCount) }
}

/// Brings bytes to the host beside the card's queue: a stream and pinned memory of its own.
///
/// `@unchecked`: used under the arena's lock only.
private final class ArenaReader: @unchecked Sendable {
    private let stream: CUDAStream
    private let ring: HostRing

    init(_ context: CUDAContext) throws(CUDAError) {
        stream = try CUDAStream(context, priority: .high)
        ring = try HostRing(context, slotCount: 2, slotByteCount: 1 << 20)
    }

    func read(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer) throws(CUDAError) {
        try ring.download(address, into: bytes, on: stream)
    }
}
