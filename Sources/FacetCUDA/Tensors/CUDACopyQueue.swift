public import FacetTensor

/// Copies host bytes into a card's memory on a stream of its own, beside the card's computations.
///
/// Pinned memory of `TensorStream.allocatePinned` is read by the card itself: the calling thread only enqueues. Other
/// bytes go through a ring of pinned memory, which the calling thread fills; it waits when the ring is full.
public final class CUDACopyQueue: CopyQueue {
    private let context: CUDAContext
    private let stream: CUDAStream
    private let ring: HostRing
    /// Pinned memory that copies may still read; let go of when the queue has been waited for.
    private var sources: [ObjectIdentifier: any AnyObject & Sendable] = [:]

    init(_ context: CUDAContext) throws(CUDAError) {
        self.context = context
        stream = try CUDAStream(context)
        ring = try HostRing(context)
    }

    deinit {
        // Copies that are under way read the ring and the sources, which go now. An error is nobody's any more.
        try? stream.synchronize()
    }

    public func upload(
        _ bytes: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable, into tensor: Tensor
    ) throws(TensorError) {
        try TransferChecks.upload(bytes.count, into: tensor, context.device)
        if let memory = (owner as? Storage)?.owner(as: PinnedMemory.self), memory.contains(bytes),
            let start = bytes.baseAddress, !bytes.isEmpty
        {
            sources[ObjectIdentifier(memory)] = memory
            try run { () throws(CUDAError) in
                try stream.upload(start, to: tensor.deviceAddress, byteCount: bytes.count)
            }
            return
        }
        try run { () throws(CUDAError) in try ring.upload(bytes, to: tensor.deviceAddress, on: stream) }
        withExtendedLifetime(owner) {}
    }

    /// An event that cannot be recorded has passed with the card's error.
    public func record() -> any DeviceEvent {
        do throws(CUDAError) { return try stream.record() } catch {
            return FailedEvent(error.asTensorError(context.device))
        }
    }

    public func wait(for event: any DeviceEvent) throws(TensorError) {
        guard let event = event as? CUDAEvent else { return try event.synchronize() }
        try run { () throws(CUDAError) in try stream.wait(for: event) }
    }

    public func synchronize() throws(TensorError) {
        try run { () throws(CUDAError) in try stream.synchronize() }
        sources = [:]
    }

    private func run<Value>(_ body: () throws(CUDAError) -> Value) throws(TensorError) -> Value {
        do throws(CUDAError) { return try body() } catch { throw error.asTensorError(context.device) }
    }
}

/// The event of a queue that has failed: there is nothing to wait for but its error.
private final class FailedEvent: DeviceEvent {
    private let error: TensorError

    init(_ error: TensorError) { self.error = error }

    var hasPassed: Bool { true }

    func synchronize() throws(TensorError) { throw error }

    func elapsed(since earlier: any DeviceEvent) -> Duration? { nil }
}
