import FacetPlacement
import FacetPlanReport

/// The devices of a run, and the plan of what each holds.
struct DeviceChoice {
    /// Budget of each device in bytes; nil for no limit.
    let budgets: [Int?]

    /// What goes where.
    let plan: Plan

    /// Whether a person's map says so, which is then tried out before the first question.
    let isManual: Bool

    /// The plan as `--json` shows it.
    let report: PlanReport

    /// Plans, or checks a device map.
    ///
    /// - Parameter deviceMap: the map's file; nil to plan.
    /// - Throws: `PlacementError` when nothing fits, `CommandError.refused` when the map does not.
    init(
        _ request: PlanRequest, _ machine: PlanMachine, budgets: [Int?], modules: ModuleNames, deviceMap: String?
    ) throws {
        let placement = try deviceMap.map { path in
            try DeviceMapFile.read(try InputFile.bytes(path), input: path)
                .placement(modules, devices: machine.names, input: path)
        }
        let question = try PlanChoice(request, .auto, places: [], permissions: [], isManual: placement != nil)
        plan = try question.plan(placement)
        if let deviceMap { try question.check(plan, names: machine.names, map: deviceMap) }
        self.budgets = budgets
        isManual = placement != nil
        var report = PlanReport(
            plan,
            PlanReport.Labels(
                model: "this checkpoint", devices: machine.names, policy: question.policyName, modules: modules))
        report.notes += machine.notes
        self.report = report
    }

    /// Where each unit goes.
    var placement: Placement { plan.placement }
}
