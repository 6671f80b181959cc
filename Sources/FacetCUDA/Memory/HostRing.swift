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

    /// Enqueues a copy to the card; the bytes may change as soon as this returns.
    public func upload(
        _ bytes: UnsafeRawBufferPointer, to target: DeviceAddress, on stream: CUDAStream
    ) throws(CUDAError) {
        try forEachSlot(bytes.count, stream) { (offset, slot, count) throws(CUDAError) in
            slot.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            try stream.upload(UnsafeRawPointer(slot.base), to: target + offset, byteCount: count)
        }
    }

    /// Enqueues a copy from the card; the bytes are there when an event recorded afterwards has passed.
    ///
    /// The last step of each slot runs on a thread of the driver, so the caller does not wait.
    public func enqueueDownload(
        _ source: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer, on stream: CUDAStream
    ) throws(CUDAError) {
        let target = HostTarget(bytes)
        try forEachSlot(bytes.count, stream) { (offset, slot, count) throws(CUDAError) in
            try stream.download(source + offset, to: slot.base, byteCount: count)
            try stream.enqueueHost { target.copy(slot, count: count, to: offset) }
        }
    }

    /// Waits for the stream and copies from the card.
    public func download(
        _ source: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer, on stream: CUDAStream
    ) throws(CUDAError) {
        try enqueueDownload(source, into: bytes, on: stream)
        try stream.synchronize()
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

/// Where a download goes.
///
/// `@unchecked`: the caller leaves the bytes alone until the stream has passed.
private struct HostTarget: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    func copy(_ slot: HostSlot, count: Int, to offset: Int) {
        if let start = bytes.baseAddress { (start + offset).copyMemory(from: slot.base, byteCount: count) }
    }
}
