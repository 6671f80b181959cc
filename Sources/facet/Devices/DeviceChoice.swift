import FacetCUDA
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// The devices of a run, and the plan of what each holds.
struct DeviceChoice {
    /// The devices, open.
    let devices: OpenDevices

    /// What goes where.
    let plan: Plan

    /// Type of the activations; see `preferFloat16`.
    private(set) var dtype: DType

    /// Whether a person's map says so, which is then tried out before the first question.
    let isManual: Bool

    /// The plan as `--json` shows it.
    let report: PlanReport

    /// Plans, or checks a device map.
    ///
    /// - Parameter deviceMap: the map's file; nil to plan.
    /// - Throws: `PlacementError` when nothing fits, `CommandError.refused` when the map does not.
    init(
        _ request: PlanRequest, _ machine: PlanMachine, devices: OpenDevices, dtype: DType, modules: ModuleNames,
        deviceMap: String?
    ) throws {
        let placement = try deviceMap.map { path in
            try DeviceMapFile.read(try InputFile.bytes(path), input: path)
                .placement(modules, devices: machine.names, input: path)
        }
        // A processor that is in the list computes, beside cards too.
        let question = try PlanChoice(
            request, .auto, places: [], permissions: devices.resolved.isMixed ? [.cpu] : [],
            isManual: placement != nil)
        plan = try question.plan(placement)
        if let deviceMap { try question.check(plan, names: machine.names, map: deviceMap) }
        self.devices = devices
        self.dtype = dtype
        isManual = placement != nil
        var report = PlanReport(
            plan,
            PlanReport.Labels(
                model: "this checkpoint", devices: machine.names, policy: question.policyName, modules: modules))
        report.notes += machine.notes
        self.report = report
    }

    /// Computes in float16 instead of bfloat16 where all devices are cards and the tensor cores of one know no bfloat16.
    ///
    /// Both take the same memory, so the plan stays.
    mutating func preferFloat16() {
        let contexts = devices.machine?.contexts ?? []
        let areCards = devices.resolved.devices.allSatisfy { $0.card != nil }
        guard dtype == .bfloat16, areCards, contexts.contains(where: { !$0.info.capability.hasBFloat16 }) else {
            return
        }
        dtype = .float16
    }

    /// Where each unit goes.
    var placement: Placement { plan.placement }

    /// Whether the largest step is tried before the first question.
    ///
    /// A person's map and budgets of parts of the processor are; a card's memory is taken before anything is loaded.
    var isTriedOut: Bool {
        isManual || devices.resolved.devices.contains { $0.kind == .processor && $0.byteCount != nil }
    }

    /// Bytes that tensors may take of each device; nil for no limit.
    ///
    /// A size is kept to the byte. Of a card without one the plan's need is taken and a fiftieth more, as far as the card
    /// has it, so that the rest is left to other programs.
    var budgets: [Int?] {
        zip(devices.resolved.devices, plan.devices).map { device, plan in
            guard device.card != nil else { return device.byteCount }
            if let size = device.byteCount { return size - plan.terms.context }
            let need = plan.terms.allocated - plan.terms.context
            return need + min(max(0, plan.headroom), need / 50)
        }
    }
}
