import ArgumentParser
import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTerminal
import Foundation

/// Says whether a model fits a machine, how it is divided, and how fast it will be; reads no weight and needs no card.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Plan a model over the devices of a machine, real or not: what goes where, and how fast it is.",
        discussion: """
            Without --machine or --cards the plan is for this machine. No weight is read. Exit status 1 when the model \
            does not fit; the error then says what is missing and what would help.
            """
    )

    @OptionGroup(title: "Machine") var machine: PlanMachineArguments
    @OptionGroup(title: "Model and work") var work: PlanWorkloadArguments
    @OptionGroup(title: "Choice") var choice: PlanChoiceArguments

    @Flag(help: "Print the formulas' values: bytes per token, picture and sequence, and each device's sum.")
    var explain = false

    @Flag(help: "Price other ways to use the devices: tensor parallel, replicas, weights in fewer bits.")
    var compare = false

    @Flag(help: "Print one JSON object, documented in docs/plan-json.md.")
    var json = false

    @Option(help: ArgumentHelp("Draw the plan as an SVG picture.", valueName: "file"))
    var svg: String?

    @Option(
        name: .customLong("write-device-map"),
        help: ArgumentHelp("Write the plan as a device map in Hugging Face form.", valueName: "file"))
    var writeDeviceMap: String?

    @Flag(name: .customLong("every-unit"), help: "Write every unit to the device map instead of merging parents.")
    var everyUnit = false

    func run() async throws {
        let (configuration, modelName) = try work.configuration()
        let modules = try ModelInventory(configuration).moduleNames
        let policy = try choice.chosenPolicy()
        let places = try choice.places()
        let permissions = try choice.permissions()
        let needsProcessor = permissions.contains(.cpu) || places.contains { $0.mode == .cpu }
        let (target, caps) = try machine.resolve(addsProcessor: needsProcessor)
        for place in places { try place.check(deviceCount: target.names.count) }
        let placement = try choice.placement(modules, target.names)
        let request = PlanRequest(
            model: try configuration.modelDescription(), precision: try work.precision(configuration),
            workload: try work.workload(configuration), machine: target.machine,
            objective: try choice.chosenObjective(), caps: Self.caps(caps, target))
        let question = try PlanChoice(
            request, policy, places: places, permissions: permissions, isManual: placement != nil)
        let plan: Plan
        do throws(PlacementError) {
            plan = try question.plan(placement)
        } catch {
            guard case .doesNotFit(let refusal) = error else { throw error }
            return try refuse(RefusalReport(refusal))
        }
        if placement != nil { try question.check(plan, names: target.names, map: choice.deviceMap ?? "--device-map") }
        let labels = PlanReport.Labels(
            model: modelName, devices: target.names, policy: question.policyName, modules: modules)
        var report = PlanReport(plan, labels)
        report.notes += target.notes
        question.explain(plan, names: target.names, in: &report)
        if compare { report.options = try question.options() }
        try writeFiles(report, plan, labels)
        try show(report)
    }

    /// Caps by device, the common one written out.
    private static func caps(_ caps: MaxMemory, _ target: PlanMachine) -> [Int: Int] {
        var result: [Int: Int] = [:]
        for device in target.names.indices where target.machine.devices[device].kind == .gpu {
            result[device] = caps.limit(device: device)
        }
        for device in target.names.indices where target.machine.devices[device].kind == .cpu {
            result[device] = caps.host ?? caps.devices[device]
        }
        return result
    }

    private func writeFiles(_ report: PlanReport, _ plan: Plan, _ labels: PlanReport.Labels) throws {
        if let svg { try OutputFile.write(PlanPicture.svg(report), to: svg, option: "--svg") }
        guard let writeDeviceMap else { return }
        let map = DeviceMap(
            plan.placement, labels.modules, devices: labels.devices, form: everyUnit ? .unmerged : .merged)
        try OutputFile.write(DeviceMapFile.text(map), to: writeDeviceMap, option: "--write-device-map")
    }

    private func show(_ report: PlanReport) throws {
        guard !json else { return try JSONOutput.print(report) }
        let terminal = Terminal.output
        let usesColor = terminal.isInteractive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        let bars = PlanBars.text(
            report, columns: terminal.isInteractive ? terminal.columnCount : 100, usesColor: usesColor)
        try StandardOutput.write(PlanText.text(report, picture: bars, explains: explain))
    }

    /// Prints what would help, and fails with the refusal's sentence.
    private func refuse(_ report: RefusalReport) throws {
        if json {
            try JSONOutput.print(report)
        } else {
            try StandardOutput.write(PlanText.remedies(report))
        }
        throw CommandError.refused(report.reason)
    }
}
