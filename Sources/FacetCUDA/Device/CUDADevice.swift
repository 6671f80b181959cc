import CCUDA
public import FacetTensor

/// What the driver says of one card; plain facts, read once.
public struct CUDADevice: Sendable, Hashable {
    /// Its number among the cards that the driver shows: `cuda:0`.
    public let device: DeviceID

    /// The model's name.
    public let name: String

    /// What tells it from every other card, and finds it in NVML.
    public let uuid: CardUUID

    /// Its place on the bus, such as `0000:65:00.0`.
    public let pciID: String

    /// What its arithmetic can do.
    public let capability: ComputeCapability

    /// All of its memory, in bytes.
    public let memoryByteCount: Int

    /// Streaming multiprocessors: how many blocks of threads run at the same time, at least.
    public let multiprocessorCount: Int

    /// Shared memory that a block may ask for beyond the default, in bytes.
    public let sharedMemoryLimit: Int

    /// Shared memory that a block has without asking, in bytes.
    public let defaultSharedMemory: Int

    /// Threads of one block.
    public let threadLimit: Int

    /// Blocks of a grid in each direction.
    public let gridLimit: Dimensions

    /// Second-level cache, in bytes.
    public let cacheByteCount: Int

    /// Whether the system stops kernels that run for seconds, because a display depends on the card.
    public let hasKernelTimeout: Bool

    /// Copies that run beside kernels and beside each other.
    public let copyEngineCount: Int

    /// The handle with which the driver's calls name the card.
    let handle: CUdevice

    /// Asks the driver.
    ///
    /// - Throws: `.noSuchDevice`, `.callFailed`.
    init(_ driver: CUDADriver, index: Int) throws(CUDAError) {
        guard index >= 0 && index < driver.deviceCount else {
            throw .noSuchDevice(index: index, count: driver.deviceCount)
        }
        let device = DeviceID(.cuda, index)
        var handle: CUdevice = 0
        try driver.check(driver.api.pointee.deviceGet(&handle, Int32(index)), "cuDeviceGet", device: device)
        self.device = device
        self.handle = handle
        name = try Self.text(driver, "cuDeviceGetName", device) { driver.api.pointee.deviceGetName($0, $1, handle) }
        pciID = try Self.text(driver, "cuDeviceGetPCIBusId", device) {
            driver.api.pointee.deviceGetPCIBusID($0, $1, handle)
        }
        var uuid = CUuuid()
        try driver.check(driver.api.pointee.deviceGetUuid(&uuid, handle), "cuDeviceGetUuid", device: device)
        self.uuid = CardUUID(uuid)
        var byteCount = 0
        try driver.check(driver.api.pointee.deviceTotalMem(&byteCount, handle), "cuDeviceTotalMem", device: device)
        memoryByteCount = byteCount
        func attribute(_ attribute: CUdevice_attribute) throws(CUDAError) -> Int {
            var value: Int32 = 0
            let result = driver.api.pointee.deviceGetAttribute(&value, attribute, handle)
            try driver.check(result, "cuDeviceGetAttribute(\(attribute.rawValue))", device: device)
            return Int(value)
        }
        capability = ComputeCapability(
            try attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            try attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))
        multiprocessorCount = try attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        sharedMemoryLimit = try attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
        defaultSharedMemory = try attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK)
        threadLimit = try attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        gridLimit = Dimensions(
            try attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X), try attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y),
            try attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z))
        cacheByteCount = try attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)
        hasKernelTimeout = try attribute(CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT) != 0
        copyEngineCount = try attribute(CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT)
    }

    private static func text(
        _ driver: CUDADriver, _ call: String, _ device: DeviceID,
        _ ask: (UnsafeMutablePointer<CChar>?, Int32) -> CUresult
    ) throws(CUDAError) -> String {
        var characters = [CChar](repeating: 0, count: 256)
        try driver.check(ask(&characters, 256), call, device: device)
        return String(terminated: characters)
    }
}

/// What a card's arithmetic can do, as NVIDIA numbers it: 8.9 for Ada, 9.0 for Hopper.
public struct ComputeCapability: Sendable, Hashable {
    /// The generation.
    public let major: Int

    /// The member of the generation.
    public let minor: Int

    /// Names a capability.
    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Whether tensor cores multiply bfloat16: from Ampere on.
    public var hasBFloat16: Bool { major >= 8 }

    /// Whether tensor cores multiply 8-bit floating point: from Ada on.
    public var hasFloat8: Bool { self >= ComputeCapability(8, 9) }

    /// Whether a warp's instruction multiplies 8-bit floating point as such.
    ///
    /// It does on Ada, and on Blackwell's cards for desktops. The ones between turn codes into float16 first, and
    /// multiply faster by other instructions only.
    public var hasWarpFloat8: Bool { self == ComputeCapability(8, 9) || major >= 12 }

    /// Whether a kernel may start before the one ahead of it has ended: from Hopper on.
    public var hasProgrammaticLaunch: Bool { major >= 9 }
}

extension ComputeCapability: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

extension ComputeCapability: CustomStringConvertible {
    public var description: String { "\(major).\(minor)" }
}
