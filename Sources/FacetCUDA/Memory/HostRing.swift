import CCUDA
import Synchronization

/// Bounded pinned memory through which uploads and downloads pass, in slots that are used in turn.
///
/// Ordinary memory cannot be copied beside the processor's work; pinned memory can, but is scarce. So bytes go through
/// a few slots: an upload fills a slot and enqueues its copy; a slot is filled again when its last copy has passed.
///
///     bytes → |slot 0|slot 1|slot 2|slot 3| → stream
///                      ^ next; waits for the event of its last use
///
/// Confined to its backend's thread. Streams of one card only.
public final class HostRing {
    private let context: CUDAContext
    private let memory: PinnedMemory
    private let slotByteCount: Int
    private var lastUses: [CUDAEvent?]
    private var next = 0

    /// Takes the pinned memory.
    ///
    /// - Parameters:
    ///   - slotCount: 2 or more let the processor fill one while another is copied.
    ///   - slotByteCount: 1 MiB and more reach the full rate of the bus.
    public init(_ context: CUDAContext, slotCount: Int = 4, slotByteCount: Int = 4 << 20) throws(CUDAError) {
        guard slotCount > 0, slotByteCount > 0 else {
            throw .invalidArgument(
                call: "HostRing", argument: "slots", expected: "at least one byte in at least one",
                got: "\(slotCount) of \(slotByteCount) bytes")
        }
        self.context = context
        self.slotByteCount = slotByteCount
        memory = try PinnedMemory(context, byteCount: slotCount * slotByteCount)
        lastUses = Array(repeating: nil, count: slotCount)
    }

    /// Waits for the card: after an error, nobody else has waited for the copies that still use the slots.
    deinit { context.release { $0.pointee.ctxSynchronize() } }

    /// Enqueues a copy to the card; the bytes may change as soon as this returns.
    ///
    /// - Parameter didRead: told which of the bytes are not needed any more, slot by slot.
    public func upload(
        _ bytes: UnsafeRawBufferPointer, to target: DeviceAddress, on stream: CUDAStream,
        didRead: (Range<Int>) -> Void = { _ in }
    ) throws(CUDAError) {
        try forEachSlot(bytes.count, stream) { (offset, slot, count) throws(CUDAError) in
            slot.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            didRead(offset..<offset + count)
            try stream.upload(UnsafeRawPointer(slot.base), to: target + offset, byteCount: count)
        }
    }

    /// Enqueues a copy from the card; the bytes are there when an event recorded afterwards has passed.
    ///
    /// The last step of each slot runs on a thread of the driver, so the caller does not wait. When this throws, the
    /// bytes are not written any more.
    public func enqueueDownload(
        _ source: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer, on stream: CUDAStream
    ) throws(CUDAError) {
        try enqueueDownload(source, into: HostTarget(bytes), byteCount: bytes.count, on: stream)
    }

    /// Waits for the stream and copies from the card; when this throws, the bytes are not written any more.
    public func download(
        _ source: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer, on stream: CUDAStream
    ) throws(CUDAError) {
        let target = HostTarget(bytes)
        try enqueueDownload(source, into: target, byteCount: bytes.count, on: stream)
        do throws(CUDAError) { try stream.synchronize() } catch {
            target.close()
            throw error
        }
    }

    private func enqueueDownload(
        _ source: DeviceAddress, into target: HostTarget, byteCount: Int, on stream: CUDAStream
    ) throws(CUDAError) {
        do throws(CUDAError) {
            try forEachSlot(byteCount, stream) { (offset, slot, count) throws(CUDAError) in
                try stream.download(source + offset, to: slot.base, byteCount: count)
                try stream.enqueueHost { target.copy(slot, count: count, to: offset) }
            }
        } catch {
            target.close()
            throw error
        }
    }

    /// Cuts a copy into slots; each is waited for before, and marked after its use.
    private func forEachSlot(
        _ byteCount: Int, _ stream: CUDAStream,
        _ body: (_ offset: Int, _ slot: HostSlot, _ count: Int) throws(CUDAError) -> Void
    ) throws(CUDAError) {
        guard stream.context === context else {
            throw .invalidArgument(
                call: "HostRing", argument: "stream", expected: "of \(context.device)",
                got: "of \(stream.context.device)")
        }
        var offset = 0
        while offset < byteCount {
            let count = min(slotByteCount, byteCount - offset)
            let index = next
            next = (next + 1) % lastUses.count
            try lastUses[index]?.waitOnHost()
            try body(offset, HostSlot(memory, memory.base + index * slotByteCount), count)
            if let event = lastUses[index] {
                try stream.record(event)
            } else {
                lastUses[index] = try stream.record(keepsTime: false)
            }
            offset += count
        }
    }
}

/// A slot of pinned memory on its way through a stream.
///
/// `@unchecked`: the stream orders who touches it.
private struct HostSlot: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    private let memory: PinnedMemory

    init(_ memory: PinnedMemory, _ base: UnsafeMutableRawPointer) {
        self.memory = memory
        self.base = base
    }

    func copyMemory(from bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { base.copyMemory(from: start, byteCount: bytes.count) }
    }
}

/// Where a download goes, until somebody closes it: after an error the caller's memory may go at any time, while copies
/// to it are still in the stream.
///
/// `@unchecked`: the bytes are written under the lock, and the caller leaves them alone until the stream has passed.
private final class HostTarget: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer
    private let isOpen = Mutex(true)

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    func copy(_ slot: HostSlot, count: Int, to offset: Int) {
        isOpen.withLock { isOpen in
            guard isOpen, let start = bytes.baseAddress else { return }
            (start + offset).copyMemory(from: slot.base, byteCount: count)
        }
    }

    /// Waits for a copy that is being made; none is made afterwards.
    func close() { isOpen.withLock { $0 = false } }
}
