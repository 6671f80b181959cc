import CCUDA

/// What the machine knows about one card, read once; nil is what this driver, or this card, cannot say.
public struct NVMLCard: @unchecked Sendable {
    // `@unchecked`: the handle is a number of the library's, valid from any thread.

    /// A process that uses the card.
    public struct Process: Sendable, Hashable {
        /// Its number; that of the host, which inside a container names nothing.
        public let id: Int
        /// What it holds of the card's memory; nil when only the system's owner may know.
        public let memoryByteCount: Int?
    }

    /// A part that works as a card of its own.
    public struct Instance: Sendable, Hashable {
        /// Its name, `MIG-` and a UUID.
        public let uuid: String
        /// The GPU instance's number.
        public let gpuInstance: Int?
        /// The compute instance's number inside it.
        public let computeInstance: Int?
        /// Its memory, in bytes.
        public let memoryByteCount: Int?
    }

    /// A link of NVLink.
    public struct NVLink: Sendable, Hashable {
        /// Its number on the card.
        public let index: Int
        /// Whether it is up.
        public let isActive: Bool
        /// Its generation.
        public let version: Int?
        /// The bus id of what is at the other end: a card, or a switch.
        public let remotePCIID: String?
    }

    /// Who may use the card.
    public enum ComputeMode: Sendable, Hashable {
        case shared, exclusiveThread, prohibited, exclusiveProcess
    }

    /// Its number in NVML, and in `nvidia-smi`; CUDA's may differ.
    public let index: Int
    /// The model's name.
    public let name: String
    /// Its name, `GPU-` and a UUID, as `nvidia-smi -L` lists it.
    public let uuid: String
    /// Its place on the bus, such as `00000000:65:00.0`.
    public let pciID: String?
    /// What its arithmetic can do.
    public let capability: ComputeCapability?
    /// All of its memory, in bytes, with what the driver keeps.
    public let memoryByteCount: Int
    /// Bytes that nobody has taken.
    public let freeMemoryByteCount: Int
    /// Bytes that the driver itself keeps.
    public let reservedMemoryByteCount: Int?
    /// The window through which the processor sees the card's memory; as large as it with resizable BAR.
    public let windowByteCount: Int?
    /// Processes that compute on it.
    public let computeProcesses: [Process]?
    /// Processes that draw with it.
    public let graphicsProcesses: [Process]?
    /// Who may use it.
    public let computeMode: ComputeMode?
    /// Whether the driver stays ready while nobody uses the card.
    public let isPersistent: Bool?
    /// Whether something is shown on a display of the card.
    public let isDisplayActive: Bool?
    /// Whether a display is attached.
    public let hasDisplay: Bool?
    /// The number in `/dev/nvidia0`.
    public let minorNumber: Int?
    /// The memory node of the processor that it is near to.
    public let numaNode: Int?
    /// Whether it is divided into instances; nil where it cannot be.
    public let isDivided: Bool?
    /// Its instances.
    public let instances: [Instance]
    /// Whether memory is checked; nil where it has no check bits.
    public let isMemoryChecked: Bool?
    /// Errors since the driver was loaded that were put right.
    public let correctedErrorCount: Int?
    /// Errors since the driver was loaded that were not.
    public let uncorrectedErrorCount: Int?
    /// Whether rows of memory wait for a restart to be replaced.
    public let isRemapPending: Bool?
    /// Whether rows could not be replaced.
    public let hasRemapFailed: Bool?
    /// Whether pages of memory wait for a restart to be taken out of use.
    public let isRetirementPending: Bool?
    /// Why the clocks are lower than they could be now, as bits; `throttleReasons` reads them.
    public let throttleBits: UInt64?
    /// Degrees Celsius.
    public let temperature: Int?
    /// Milliwatts now.
    public let power: Int?
    /// Milliwatts that it may take.
    public let powerLimit: Int?
    /// Milliwatts that it may take unless somebody changes it.
    public let defaultPowerLimit: Int?
    /// PCI Express generation now; idle cards lower it.
    public let linkGeneration: Int?
    /// PCI Express lanes now.
    public let linkWidth: Int?
    /// The generation that card and slot can do.
    public let maximumLinkGeneration: Int?
    /// The lanes that card and slot can do.
    public let maximumLinkWidth: Int?
    /// Links of NVLink.
    public let nvLinks: [NVLink]

    let handle: nvmlDevice_t?

    init(_ library: NVML, _ handle: nvmlDevice_t?, index: Int) throws(CUDAError) {
        let api = library.api
        let card = NVMLQuestion(api: api, device: handle)
        self.handle = handle
        self.index = index
        guard let uuid = NVML.text({ api.pointee.deviceGetUUID(handle, $0, $1) }) else {
            throw .libraryCallFailed(library: .nvml, call: "nvmlDeviceGetUUID(\(index))", result: "no answer")
        }
        self.uuid = uuid
        name = NVML.text { api.pointee.deviceGetName(handle, $0, $1) } ?? "unnamed card"
        pciID = card.value(api.pointee.deviceGetPciInfo, nvmlPciInfo_t()).map(NVMLQuestion.busID)
        var memory = nvmlMemory_t()
        try library.check(api.pointee.deviceGetMemoryInfo(handle, &memory), "nvmlDeviceGetMemoryInfo(\(index))")
        var detailed = nvmlMemory_v2_t()
        detailed.version = UInt32(MemoryLayout<nvmlMemory_v2_t>.size) | 2 << 24
        let reserved = card.value(api.pointee.deviceGetMemoryInfo2, detailed)
        memoryByteCount = Int(clamping: memory.total)
        freeMemoryByteCount = Int(clamping: reserved?.free ?? memory.free)
        reservedMemoryByteCount = reserved.map { Int(clamping: $0.reserved) }
        windowByteCount = card.value(api.pointee.deviceGetBAR1MemoryInfo, nvmlBAR1Memory_t()).map {
            Int(clamping: $0.bar1Total)
        }
        var (major, minor): (Int32, Int32) = (0, 0)
        let hasCapability =
            api.pointee.deviceGetCudaComputeCapability.map { $0(handle, &major, &minor) } == NVML_SUCCESS
        capability = hasCapability ? ComputeCapability(Int(major), Int(minor)) : nil
        computeProcesses = card.processes(api.pointee.deviceGetComputeRunningProcesses)
        graphicsProcesses = card.processes(api.pointee.deviceGetGraphicsRunningProcesses)
        computeMode = card.value(api.pointee.deviceGetComputeMode, NVML_COMPUTEMODE_DEFAULT).flatMap(ComputeMode.init)
        isPersistent = card.isOn(api.pointee.deviceGetPersistenceMode)
        isDisplayActive = card.isOn(api.pointee.deviceGetDisplayActive)
        hasDisplay = card.isOn(api.pointee.deviceGetDisplayMode)
        minorNumber = card.number(api.pointee.deviceGetMinorNumber)
        numaNode = card.number(api.pointee.deviceGetNumaNodeId)
        var (mode, pendingMode): (UInt32, UInt32) = (0, 0)
        let hasMode = api.pointee.deviceGetMigMode.map { $0(handle, &mode, &pendingMode) } == NVML_SUCCESS
        isDivided = hasMode ? mode != 0 : nil
        instances = mode != 0 && hasMode ? Self.instances(api, card) : []
        var (checked, pendingCheck) = (NVML_FEATURE_DISABLED, NVML_FEATURE_DISABLED)
        let hasCheck = api.pointee.deviceGetEccMode.map { $0(handle, &checked, &pendingCheck) } == NVML_SUCCESS
        isMemoryChecked = hasCheck ? checked == NVML_FEATURE_ENABLED : nil
        correctedErrorCount = card.errorCount(NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC)
        uncorrectedErrorCount = card.errorCount(NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC)
        var (corrected, uncorrected, isPending, hasFailed): (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        let hasRows =
            api.pointee.deviceGetRemappedRows.map { $0(handle, &corrected, &uncorrected, &isPending, &hasFailed) }
            == NVML_SUCCESS
        isRemapPending = hasRows ? isPending != 0 : nil
        hasRemapFailed = hasRows ? hasFailed != 0 : nil
        isRetirementPending = card.isOn(api.pointee.deviceGetRetiredPagesPending)
        throttleBits = card.value(api.pointee.deviceGetThrottleReasons, 0)
        var celsius: UInt32 = 0
        let hasTemperature =
            api.pointee.deviceGetTemperature.map { $0(handle, NVML_TEMPERATURE_GPU, &celsius) } == NVML_SUCCESS
        temperature = hasTemperature ? Int(celsius) : nil
        power = card.number(api.pointee.deviceGetPowerUsage)
        powerLimit = card.number(api.pointee.deviceGetPowerLimit)
        defaultPowerLimit = card.number(api.pointee.deviceGetDefaultPowerLimit)
        linkGeneration = card.number(api.pointee.deviceGetCurrPcieLinkGeneration)
        linkWidth = card.number(api.pointee.deviceGetCurrPcieLinkWidth)
        maximumLinkGeneration = card.number(api.pointee.deviceGetMaxPcieLinkGeneration)
        maximumLinkWidth = card.number(api.pointee.deviceGetMaxPcieLinkWidth)
        nvLinks = card.nvLinks()
    }

    /// The UUID's bytes, which CUDA gives too; nil for a name of another form.
    public var cardUUID: CardUUID? { CardUUID(uuid) }

    private static func instances(_ api: UnsafeMutablePointer<ccuda_nvml>, _ card: NVMLQuestion) -> [Instance] {
        guard let open = api.pointee.deviceGetMigDeviceHandleByIndex,
            let limit = card.number(api.pointee.deviceGetMaxMigDeviceCount)
        else { return [] }
        return (0..<UInt32(limit)).compactMap { index -> Instance? in
            var handle: nvmlDevice_t?
            guard open(card.device, index, &handle) == NVML_SUCCESS, let handle,
                let uuid = NVML.text({ api.pointee.deviceGetUUID(handle, $0, $1) })
            else { return nil }
            let instance = NVMLQuestion(api: api, device: handle)
            var memory = nvmlMemory_t()
            let hasMemory = api.pointee.deviceGetMemoryInfo(handle, &memory) == NVML_SUCCESS
            return Instance(
                uuid: uuid, gpuInstance: instance.number(api.pointee.deviceGetGpuInstanceId),
                computeInstance: instance.number(api.pointee.deviceGetComputeInstanceId),
                memoryByteCount: hasMemory ? Int(clamping: memory.total) : nil)
        }
    }
}

extension NVMLCard.ComputeMode {
    fileprivate init?(_ mode: nvmlComputeMode_t) {
        switch mode {
        case NVML_COMPUTEMODE_DEFAULT: self = .shared
        case NVML_COMPUTEMODE_EXCLUSIVE_THREAD: self = .exclusiveThread
        case NVML_COMPUTEMODE_PROHIBITED: self = .prohibited
        case NVML_COMPUTEMODE_EXCLUSIVE_PROCESS: self = .exclusiveProcess
        default: return nil
        }
    }
}
