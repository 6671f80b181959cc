import ArgumentParser
import FacetEngine
import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// Options that say on which devices a model is computed, and what each holds.
struct DeviceArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Devices that share out the model: cpu, cpu:4, or cpu:0=2GiB,cpu:1=1GiB.", valueName: "list"))
    var devices: String?

    @Option(
        name: .customLong("device-map"),
        help: ArgumentHelp("Put the model where this device map says (JSON, Hugging Face form).", valueName: "file"))
    var deviceMap: String?

    @Option(
        name: .customLong("max-memory"),
        help: ArgumentHelp("Most memory to take of each device: '0=2GiB,1=1GiB', or one size.", valueName: "caps"))
    var maxMemory: String?

    @Option(
        help: ArgumentHelp(
            "What the plan optimizes: \(Objective.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "goal"))
    var optimize: String?

    /// Whether any option asks for devices.
    var isGiven: Bool { devices != nil || deviceMap != nil || maxMemory != nil || optimize != nil }

    /// The devices and the plan for them; nil when no option asks for any.
    ///
    /// - Throws: `PlacementInputError`, `CommandError`; `PlacementError` when the model does not fit.
    func choice(_ configuration: GLM4VConfiguration, dtype: DType, limits: ModelLimits) throws -> DeviceChoice? {
        guard isGiven else { return nil }
        let objective: Objective = try optimize.map { try NamedChoice.value($0, option: "--optimize") } ?? .balanced
        guard deviceMap == nil || optimize == nil else {
            throw CommandError.invalidOption(name: "--optimize", expected: "left out beside --device-map", got: "there")
        }
        let budgets = try self.budgets()
        let unitCount = configuration.vision.layerCount + 2 + configuration.layerCount + 3
        guard budgets.count <= unitCount else {
            throw CommandError.invalidOption(
                name: "--devices", expected: "at most \(unitCount) devices, one for each unit of this model",
                got: "\(budgets.count)")
        }
        let modules = try ModelInventory(configuration).moduleNames
        let machine = PlanMachine.processors(budgets: budgets, availableByteCount: Self.availableByteCount)
        var request = PlanRequest(
            model: try configuration.modelDescription(), precision: try configuration.storedPrecision(),
            workload: Self.workload(configuration, limits), machine: machine.machine, objective: objective,
            memory: EngineMemory(configuration, dtype: dtype, limits: limits))
        // A list of devices is a contract: every one is used, unless as few as possible are wanted.
        if objective != .fewest { request.requiredDevices = Set(budgets.indices) }
        return try DeviceChoice(request, machine, budgets: budgets, modules: modules, deviceMap: deviceMap)
    }

    /// What each device may hold.
    private func budgets() throws -> [Int?] {
        let list = try DeviceSpec(parsing: devices ?? "cpu")
        let caps = try maxMemory.map { try MaxMemory(parsing: $0) } ?? MaxMemory()
        try caps.check(deviceCount: list.devices.count)
        guard list.devices.count <= Self.deviceLimit else {
            throw CommandError.invalidOption(
                name: "--devices", expected: "at most \(Self.deviceLimit) devices", got: "\(list.devices.count)")
        }
        return try list.devices.enumerated().map { index, device in
            guard case .cpu = device.identity else {
                throw CommandError.invalidOption(
                    name: "--devices", expected: "made of cpu devices: this version computes on the processor only",
                    got: "'\(devices ?? "")'")
            }
            return [device.byteCount, caps.limit(device: index)].compactMap(\.self).min()
        }
    }

    private static let deviceLimit = Planner.deviceLimit

    private static var availableByteCount: Int { SystemMemory.availableByteCount() ?? 1 << 40 }

    /// One conversation about one picture; the memory model takes the sizes from the engine's own limits.
    private static func workload(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) -> Workload {
        let most = configuration.positionLimit + configuration.patchRowCount
        let text = max(0, min(limits.slotCount, most) - configuration.imageRowCount)
        return Workload(
            sequences: limits.maxSequences, textTokens: text, newTokens: 0, prefillChunk: limits.maxRows,
            visionTileRows: limits.visionTileRows, cachePrecision: limits.quantizesCache ? .int8 : .bfloat16,
            pageSize: limits.pageSize)
    }
}
