import CCUDA
public import FacetTensor
import Synchronization

/// One card's primary context: where its memory, streams and kernels live.
///
/// CUDA keeps the current context per thread, so every call through here makes it current first. A sticky error marks
/// the context lost: from then on each call throws the error that lost it, without asking the driver again.
///
/// `@unchecked`: the handle never changes, and the driver's calls may come from any thread.
public final class CUDAContext: @unchecked Sendable {
    /// The driver that all calls go to.
    public let driver: CUDADriver

    /// The card.
    public let info: CUDADevice

    /// The context's name among devices: the card's, unless one card is several devices.
    public let device: DeviceID

    let handle: CUcontext
    private let loss = Mutex<CUDAError?>(nil)

    /// Makes, or joins, the primary context of a card.
    ///
    /// - Parameters:
    ///   - index: the card's number in the driver's list.
    ///   - device: the name to go by; nil for the card's own.
    /// - Throws: `.noSuchDevice`, `.callFailed` (a card in exclusive mode that another process holds, for one).
    public init(_ driver: CUDADriver, index: Int, as device: DeviceID? = nil) throws(CUDAError) {
        let info = try CUDADevice(driver, index: index)
        var handle: CUcontext?
        let result = driver.api.pointee.devicePrimaryCtxRetain(&handle, info.handle)
        try driver.check(result, "cuDevicePrimaryCtxRetain", device: info.device)
        guard let handle else {
            throw .callFailed(
                device: info.device, call: "cuDevicePrimaryCtxRetain", result: "no context",
                reason: "the driver is faulty")
        }
        self.driver = driver
        self.info = info
        self.device = device ?? info.device
        self.handle = handle
    }

    deinit { _ = driver.api.pointee.devicePrimaryCtxRelease(info.handle) }

    /// The error that lost the context; nil while it works.
    public var lossReason: CUDAError? { loss.withLock { $0 } }

    /// Bytes that no process has taken, and all of the card's.
    public func memory() throws(CUDAError) -> (free: Int, total: Int) {
        var free = 0
        var total = 0
        try call("cuMemGetInfo") { $0.pointee.memGetInfo(&free, &total) }
        return (free, total)
    }

    /// Waits for everything that runs in the context.
    public func synchronize() throws(CUDAError) {
        try call("cuCtxSynchronize") { $0.pointee.ctxSynchronize() }
    }

    /// Makes the context current, calls the driver and throws what it returns.
    ///
    /// - Throws: `.contextLost`, `.callFailed`.
    func call(
        _ name: StaticString, _ body: (UnsafeMutablePointer<ccuda_driver>) -> CUresult
    ) throws(CUDAError) {
        try check(try query(name, body), name)
    }

    /// As `call`, for calls whose result is an answer.
    ///
    /// - Throws: `.contextLost` when it was lost before.
    func query(
        _ name: StaticString, _ body: (UnsafeMutablePointer<ccuda_driver>) -> CUresult
    ) throws(CUDAError) -> CUresult {
        if let error = lossReason { throw error }
        try makeCurrent()
        return body(driver.api)
    }

    /// Makes the context that of this thread, for calls of other libraries.
    func makeCurrent() throws(CUDAError) {
        try check(driver.api.pointee.ctxSetCurrent(handle), "cuCtxSetCurrent")
    }

    /// Calls the driver while letting go of something: nothing can be thrown there, and a lost context frees nothing.
    func release(_ body: (UnsafeMutablePointer<ccuda_driver>) -> CUresult) {
        guard lossReason == nil, driver.api.pointee.ctxSetCurrent(handle) == CUDA_SUCCESS else { return }
        _ = body(driver.api)
    }

    /// Throws what a result means; a sticky one loses the context.
    func check(_ result: CUresult, _ name: StaticString) throws(CUDAError) {
        guard result != CUDA_SUCCESS else { return }
        let (resultName, text) = driver.meaning(of: result)
        guard result.isSticky else {
            throw .callFailed(device: device, call: "\(name)", result: resultName, reason: text)
        }
        let error = CUDAError.contextLost(device: device, call: "\(name)", result: resultName, reason: text)
        throw loss.withLock { first in
            first = first ?? error
            return first ?? error
        }
    }
}
