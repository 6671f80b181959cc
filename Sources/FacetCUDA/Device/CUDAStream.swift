import CCUDA
import FacetTensor

/// A queue of one card: what is enqueued runs in order, beside other streams.
///
/// Memory that an enqueued call reads or writes must stay as it is until the stream has passed the call.
///
/// `@unchecked`: the handle never changes; who enqueues, and when, is the backend's one thread.
public final class CUDAStream: @unchecked Sendable {
    /// Which of two ready streams goes first.
    public enum Priority: Sendable, Hashable {
        case normal
        case high
    }

    /// Where the stream's work runs.
    public let context: CUDAContext

    let handle: CUstream

    /// Starts a stream, independent of the default one.
    public init(_ context: CUDAContext, priority: Priority = .normal) throws(CUDAError) {
        var least: Int32 = 0
        var greatest: Int32 = 0
        try context.call("cuCtxGetStreamPriorityRange") { $0.pointee.ctxGetStreamPriorityRange(&least, &greatest) }
        let number = priority == .high ? greatest : least
        var handle: CUstream?
        try context.call("cuStreamCreateWithPriority") {
            $0.pointee.streamCreateWithPriority(&handle, UInt32(CU_STREAM_NON_BLOCKING), number)
        }
        guard let handle else {
            throw .callFailed(
                device: context.device, call: "cuStreamCreateWithPriority", result: "no stream",
                reason: "the driver is faulty")
        }
        self.context = context
        self.handle = handle
    }

    deinit { context.release { $0.pointee.streamDestroy(handle) } }

    // MARK: Order

    /// Marks the present end.
    public func record(keepsTime: Bool = true) throws(CUDAError) -> CUDAEvent {
        let event = try CUDAEvent(context, keepsTime: keepsTime)
        try record(event)
        return event
    }

    /// Marks the present end with an event that exists.
    public func record(_ event: CUDAEvent) throws(CUDAError) {
        try context.call("cuEventRecord") { $0.pointee.eventRecord(event.handle, handle) }
    }

    /// Lets what is enqueued from now on wait for an event, of this card or of another.
    public func wait(for event: CUDAEvent) throws(CUDAError) {
        try context.call("cuStreamWaitEvent") { $0.pointee.streamWaitEvent(handle, event.handle, 0) }
    }

    /// Whether everything enqueued so far has run.
    public func isIdle() throws(CUDAError) -> Bool {
        let result = try context.query("cuStreamQuery") { $0.pointee.streamQuery(handle) }
        if result == CUDA_ERROR_NOT_READY { return false }
        try context.check(result, "cuStreamQuery")
        return true
    }

    /// Waits until everything enqueued so far has run.
    public func synchronize() throws(CUDAError) {
        try context.call("cuStreamSynchronize") { $0.pointee.streamSynchronize(handle) }
    }

    // MARK: Work

    /// Sets bytes of the card's memory.
    public func fill(_ address: DeviceAddress, byteCount: Int, with byte: UInt8 = 0) throws(CUDAError) {
        guard byteCount > 0 else { return }
        try context.call("cuMemsetD8Async") { $0.pointee.memsetD8Async(address.value, byte, byteCount, handle) }
    }

    /// Copies within the card.
    public func copy(_ source: DeviceAddress, to target: DeviceAddress, byteCount: Int) throws(CUDAError) {
        guard byteCount > 0 else { return }
        try context.call("cuMemcpyDtoDAsync") {
            $0.pointee.memcpyDtoDAsync(target.value, source.value, byteCount, handle)
        }
    }

    /// Copies from pinned host memory.
    func upload(_ source: UnsafeRawPointer, to target: DeviceAddress, byteCount: Int) throws(CUDAError) {
        try context.call("cuMemcpyHtoDAsync") { $0.pointee.memcpyHtoDAsync(target.value, source, byteCount, handle) }
    }

    /// Copies to pinned host memory.
    func download(_ source: DeviceAddress, to target: UnsafeMutableRawPointer, byteCount: Int) throws(CUDAError) {
        try context.call("cuMemcpyDtoHAsync") { $0.pointee.memcpyDtoHAsync(target, source.value, byteCount, handle) }
    }

    /// Copies straight from the memory of another context, of another card or of this one.
    func copy(
        _ source: DeviceAddress, of sourceContext: CUDAContext, to target: DeviceAddress, byteCount: Int
    ) throws(CUDAError) {
        // One card may be several devices, whose context is the same to the driver.
        if sourceContext.handle == context.handle { return try copy(source, to: target, byteCount: byteCount) }
        try context.call("cuMemcpyPeerAsync") {
            $0.pointee.memcpyPeerAsync(
                target.value, context.handle, source.value, sourceContext.handle, byteCount, handle)
        }
    }

    /// Runs a closure on a thread of the driver when the stream comes here; what follows waits for it.
    ///
    /// The closure must not call CUDA, and should be short.
    public func enqueueHost(_ work: @escaping @Sendable () -> Void) throws(CUDAError) {
        let box = Unmanaged.passRetained(HostWork(work))
        do throws(CUDAError) {
            try context.call("cuLaunchHostFunc") {
                $0.pointee.launchHostFunc(
                    handle,
                    { pointer in
                        guard let pointer else { return }
                        Unmanaged<HostWork>.fromOpaque(pointer).takeRetainedValue().run()
                    }, box.toOpaque())
            }
        } catch {
            box.release()
            throw error
        }
    }
}

/// A closure on its way through a stream.
private final class HostWork: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
