import CCUDA
import FacetTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The driver, opened and ready: how many cards there are, and what its codes mean.
///
/// It believes what the driver counts. CUDA_VISIBLE_DEVICES is read by the driver when it starts; here it stands in
/// errors only (`FacetPlacement.VisibleDevices` explains it).
///
/// `@unchecked`: the table never changes, and the driver's functions may be called from any thread.
public final class CUDADriver: @unchecked Sendable {
    /// The functions.
    let api: UnsafeMutablePointer<ccuda_driver>

    /// The file that was opened.
    public let path: String

    /// The newest CUDA that the driver supports.
    public let version: CUDAVersion

    /// How many cards the driver shows.
    public let deviceCount: Int

    /// Opens and starts the driver.
    ///
    /// - Throws: `.libraryMissing`, `.symbolMissing`, `.noDevice`, or what the start failed with.
    public init(_ search: LibrarySearch = LibrarySearch()) throws(CUDAError) {
        let library = try OpenLibrary(.driver, search)
        let api = try library.table { ccuda_driver_load($0, $1) }
        self.api = api
        path = library.path
        let started = api.pointee.initialize(0)
        if started == CUDA_ERROR_NO_DEVICE { throw .noDevice(visibleDevices: Self.visibleDevices) }
        try Self.check(api, started, "cuInit")
        var number: Int32 = 0
        try Self.check(api, api.pointee.driverGetVersion(&number), "cuDriverGetVersion")
        version = CUDAVersion(encoded: number)
        var count: Int32 = 0
        try Self.check(api, api.pointee.deviceGetCount(&count), "cuDeviceGetCount")
        guard count > 0 else { throw .noDevice(visibleDevices: Self.visibleDevices) }
        deviceCount = Int(count)
    }

    /// What the driver says of each card.
    public func devices() throws(CUDAError) -> [CUDADevice] {
        var devices: [CUDADevice] = []
        for index in 0..<deviceCount { devices.append(try CUDADevice(self, index: index)) }
        return devices
    }

    /// Throws what a code means.
    ///
    /// - Throws: `.callFailed`; a sticky error too, since no context is known here.
    func check(_ result: CUresult, _ call: String, device: DeviceID? = nil) throws(CUDAError) {
        try Self.check(api, result, call, device: device)
    }

    /// A code's name and the driver's sentence about it.
    func meaning(of result: CUresult) -> (name: String, text: String) { Self.meaning(api, result) }

    private static func check(
        _ api: UnsafeMutablePointer<ccuda_driver>, _ result: CUresult, _ call: String, device: DeviceID? = nil
    ) throws(CUDAError) {
        guard result != CUDA_SUCCESS else { return }
        let (name, text) = meaning(api, result)
        throw .callFailed(device: device, call: call, result: name, reason: text)
    }

    private static func meaning(
        _ api: UnsafeMutablePointer<ccuda_driver>, _ result: CUresult
    ) -> (name: String, text: String) {
        var name: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        _ = api.pointee.getErrorName(result, &name)
        _ = api.pointee.getErrorString(result, &text)
        return (
            name.map { String(cString: $0) } ?? "error \(result.rawValue)",
            text.map { String(cString: $0) } ?? "which this driver does not know"
        )
    }

    private static var visibleDevices: String? { getenv("CUDA_VISIBLE_DEVICES").map { String(cString: $0) } }
}

extension CUresult {
    /// Whether the context, and every allocation in it, is lost with this error: each later call repeats it.
    var isSticky: Bool {
        switch self {
        case CUDA_ERROR_ECC_UNCORRECTABLE, CUDA_ERROR_NVLINK_UNCORRECTABLE, CUDA_ERROR_ILLEGAL_ADDRESS,
            CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_ASSERT,
            CUDA_ERROR_HARDWARE_STACK_ERROR, CUDA_ERROR_ILLEGAL_INSTRUCTION, CUDA_ERROR_MISALIGNED_ADDRESS,
            CUDA_ERROR_INVALID_ADDRESS_SPACE, CUDA_ERROR_INVALID_PC, CUDA_ERROR_LAUNCH_FAILED,
            CUDA_ERROR_DEINITIALIZED, CUDA_ERROR_UNKNOWN:
            true
        default: false
        }
    }
}
