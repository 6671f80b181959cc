import CCUDA
public import FacetTensor

/// A point in a stream.
///
/// `@unchecked`: the handle never changes, and the driver's calls may come from any thread.
public final class CUDAEvent: DeviceEvent, @unchecked Sendable {
    let context: CUDAContext
    let handle: CUevent
    private let keepsTime: Bool

    /// Makes an event that nothing has recorded yet; such an event has passed.
    ///
    /// - Parameter keepsTime: false for an event that only orders, which is cheaper.
    public init(_ context: CUDAContext, keepsTime: Bool = true) throws(CUDAError) {
        var handle: CUevent?
        let flags = UInt32(keepsTime ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING)
        try context.call("cuEventCreate") { $0.pointee.eventCreate(&handle, flags) }
        guard let handle else {
            throw .callFailed(
                device: context.device, call: "cuEventCreate", result: "no event", reason: "the driver is faulty")
        }
        self.context = context
        self.handle = handle
        self.keepsTime = keepsTime
    }

    deinit { context.release { $0.pointee.eventDestroy(handle) } }

    /// Whether the stream has come here.
    ///
    /// - Throws: `.contextLost` when the stream failed before it.
    public func isDone() throws(CUDAError) -> Bool {
        let result = try context.query("cuEventQuery") { $0.pointee.eventQuery(handle) }
        if result == CUDA_ERROR_NOT_READY { return false }
        try context.check(result, "cuEventQuery")
        return true
    }

    /// Waits on the calling thread until the stream has come here.
    ///
    /// - Throws: `.contextLost` when the stream failed before it.
    public func waitOnHost() throws(CUDAError) {
        try context.call("cuEventSynchronize") { $0.pointee.eventSynchronize(handle) }
    }

    /// True for a lost context too: nobody is to wait for it.
    public var hasPassed: Bool { (try? isDone()) ?? true }

    public func synchronize() throws(TensorError) {
        do throws(CUDAError) { try waitOnHost() } catch { throw error.asTensorError(context.device) }
    }

    public func elapsed(since earlier: any DeviceEvent) -> Duration? {
        guard let earlier = earlier as? CUDAEvent, keepsTime, earlier.keepsTime else { return nil }
        var milliseconds: Float = 0
        let result = try? context.query("cuEventElapsedTime") {
            $0.pointee.eventElapsedTime(&milliseconds, earlier.handle, handle)
        }
        guard result == CUDA_SUCCESS else { return nil }
        return .nanoseconds(Int64(Double(milliseconds) * 1e6))
    }
}
