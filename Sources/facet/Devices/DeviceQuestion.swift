import FacetEngine
import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// What a plan needs to know of a model that is about to run.
struct ModelSizes {
    let configuration: GLM4VConfiguration
    let dtype: DType
    let limits: ModelLimits
}

/// What is asked of the planner, whatever the devices turn out to be.
struct DeviceQuestion {
    let sizes: ModelSizes
    let objective: Objective

    /// The plan for devices.
    ///
    /// Cards that the plan leaves out are closed, since even an idle context takes memory, and the rest is planned again.
    /// - Parameter usesAll: whether every device has to be used.
    /// - Throws: `PlacementError`, `PlacementInputError`, `CommandError`.
    func choice(_ devices: OpenDevices, usesAll: Bool, deviceMap: String?) throws -> DeviceChoice {
        let resolved = devices.resolved
        let choice = try choice(devices, required: usesAll ? Set(resolved.devices.indices) : [], deviceMap: deviceMap)
        let used = choice.plan.usedDevices
        guard deviceMap == nil, !resolved.cards.isEmpty, used.count < resolved.devices.count else { return choice }
        return try self.choice(
            try OpenDevices(resolved.keeping(used)), required: Set(used.indices), deviceMap: nil)
    }

    private func choice(
        _ devices: OpenDevices, required: Set<Int>, deviceMap: String?
    ) throws -> DeviceChoice {
        let (configuration, limits) = (sizes.configuration, sizes.limits)
        let unitCount = configuration.vision.layerCount + 2 + configuration.layerCount + 3
        let deviceCount = devices.resolved.devices.count
        guard deviceCount <= unitCount || required.isEmpty else {
            throw CommandError.invalidOption(
                name: "--devices", expected: "at most \(unitCount) devices, one for each unit of this model",
                got: "\(deviceCount)")
        }
        let machine = devices.planMachine(hostByteCount: SystemMemory.availableByteCount() ?? 1 << 40)
        var request = PlanRequest(
            model: try configuration.modelDescription(), precision: try configuration.storedPrecision(),
            workload: Self.workload(configuration, limits), machine: machine.machine, objective: objective,
            memory: EngineMemory(configuration, dtype: sizes.dtype, limits: limits))
        request.requiredDevices = required
        return try DeviceChoice(
            request, machine, devices: devices, dtype: sizes.dtype,
            modules: try ModelInventory(configuration).moduleNames,
            deviceMap: deviceMap)
    }

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
