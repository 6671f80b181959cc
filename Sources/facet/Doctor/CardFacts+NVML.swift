import FacetCUDA
import FacetDoctor

extension CardFacts {
    /// What NVML says of a card.
    init(_ card: NVMLCard) {
        self.init()
        name = card.name
        uuid = card.uuid
        address = card.pciID
        capability = card.capability.map { $0.major * 10 + $0.minor }
        fusedHeadSizes = card.capability.map(EngineKernels.fusedHeadSizes)
        totalBytes = card.memoryByteCount
        freeBytes = card.freeMemoryByteCount
        processes = Self.processes(card)
        computeMode = card.computeMode.map(Self.mode)
        isPersistent = card.isPersistent
        hasDisplay = card.isDisplayActive
        isDivided = card.isDivided
        instances = card.instances.map { instance in
            Instance(
                uuid: instance.uuid, gpuInstance: instance.gpuInstance ?? 0,
                computeInstance: instance.computeInstance ?? 0, totalBytes: instance.memoryByteCount)
        }
        memoryErrors = Self.errors(card)
        throttleReasons = card.throttleReasons.map { $0.map(Self.text) }
        temperature = card.temperature.map(Double.init)
        power = card.power.map { Double($0) / 1000 }
        powerLimit = card.powerLimit.map { Double($0) / 1000 }
        defaultPowerLimit = card.defaultPowerLimit.map { Double($0) / 1000 }
        memoryNode = card.numaNode
        nvlinks = card.nvLinks.map { Nvlink(link: $0.index, isActive: $0.isActive) }
        if card.linkWidth != nil || card.linkGeneration != nil {
            var link = LinkFacts()
            (link.width, link.maxWidth) = (card.linkWidth, card.maximumLinkWidth)
            (link.generation, link.maxGeneration) = (card.linkGeneration, card.maximumLinkGeneration)
            link.isUnderLoad = false
            self.link = link
        }
    }

    /// Those that compute and those that draw, each once; nil when neither list can be read.
    private static func processes(_ card: NVMLCard) -> [CardProcess]? {
        guard card.computeProcesses != nil || card.graphicsProcesses != nil else { return nil }
        var found: [CardProcess] = []
        for process in (card.computeProcesses ?? []) + (card.graphicsProcesses ?? [])
        where !found.contains(where: { $0.pid == process.id }) {
            found.append(CardProcess(pid: process.id, usedBytes: process.memoryByteCount))
        }
        return found
    }

    private static func mode(_ mode: NVMLCard.ComputeMode) -> ComputeMode {
        switch mode {
        case .shared: .normal
        case .exclusiveThread, .exclusiveProcess: .exclusive
        case .prohibited: .prohibited
        }
    }

    /// Rows are replaced from Ampere on, pages before it.
    private static func errors(_ card: NVMLCard) -> MemoryErrors? {
        guard card.isMemoryChecked != nil || card.isRemapPending != nil else { return nil }
        var errors = MemoryErrors()
        errors.isEnabled = card.isMemoryChecked
        errors.uncorrected = card.uncorrectedErrorCount
        errors.isRemapPending = card.isRemapPending ?? card.isRetirementPending
        errors.hasRemapFailed = card.hasRemapFailed
        return errors
    }

    private static func text(_ reason: ThrottleReason) -> String {
        switch reason {
        case .idle: "idle"
        case .applicationClocks: "application clocks"
        case .powerCap: "power cap"
        case .hardwareSlowdown: "hardware slowdown"
        case .syncBoost: "sync boost"
        case .softwareThermal: "software thermal slowdown"
        case .hardwareThermal: "hardware thermal slowdown"
        case .hardwarePowerBrake: "power brake"
        case .displayClocks: "display clocks"
        }
    }
}
