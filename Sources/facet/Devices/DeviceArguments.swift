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
            "Devices that share out the model: cuda, cuda:0,1, cuda:0=20GiB, a UUID, cpu, cpu:4, or a mix; "
                + "without it the fewest cards that hold it, or the processor where there is no card.",
            valueName: "list"))
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

    /// The devices and the plan for them; nil for the processor as a whole, when nothing asks for devices and there is no
    /// card.
    ///
    /// Listed devices are all used. Without a list it is the fewest cards that hold the model.
    /// - Parameter sizes: reads what the plan is about, if there is one.
    /// - Throws: `PlacementInputError`, `CommandError`; `PlacementError` when the model does not fit.
    func choice(_ sizes: () throws -> ModelSizes) throws -> DeviceChoice? {
        let automatic = try devices == nil ? AutomaticDevices() : nil
        guard isGiven || automatic?.list != nil else { return nil }
        guard let automatic, let list = automatic.list else {
            let listed = try resolved()
            // Beside cards the processor takes what they cannot hold, rather than what balances the memory.
            let question = try question(sizes, otherwise: listed.isMixed ? .latency : .balanced)
            let usesAll = question.objective != .fewest
            return try question.choice(
                try OpenDevices(listed, caps: try caps(listed)), usesAll: usesAll, deviceMap: deviceMap)
        }
        let question = try question(sizes, otherwise: .fewest)
        do {
            let choice = try question.choice(
                try OpenDevices(list, caps: try caps(list)), usesAll: false, deviceMap: deviceMap)
            automatic.announce(choice)
            return choice
        } catch let error as PlacementError {
            throw CommandError.refused(
                "\(error) These are the cards that are usable (\(list.devices.map(\.name).joined(separator: ", "))); "
                    + "--devices cpu computes on the processor instead.")
        }
    }

    /// The plan for a checkpoint; its headers are checked first, as without a plan.
    ///
    /// - Throws: as `choice`, and what is wrong with the checkpoint.
    func choice(_ files: ModelFiles, _ options: EngineOptions) throws -> DeviceChoice? {
        try choice {
            _ = try files.checkpoint()
            var configuration = try GLM4VConfiguration(parsing: files.bytes(of: GLM4VConfiguration.fileName))
            if let choice = options.quantization {
                configuration = try configuration.quantized(choice) ?? configuration
            }
            return ModelSizes(
                configuration: configuration, dtype: try options.activationDType(configuration),
                limits: try options.modelLimits(configuration))
        }
    }

    private func question(
        _ sizes: () throws -> ModelSizes, otherwise objective: Objective
    ) throws -> DeviceQuestion {
        let wanted: Objective? = try optimize.map { try NamedChoice.value($0, option: "--optimize") }
        guard deviceMap == nil || optimize == nil else {
            throw CommandError.invalidOption(name: "--optimize", expected: "left out beside --device-map", got: "there")
        }
        return DeviceQuestion(sizes: try sizes(), objective: wanted ?? objective)
    }

    /// The devices of the list, each found.
    private func resolved() throws -> ResolvedDevices {
        let list = try DeviceSpec(parsing: devices ?? "cpu")
        let asksCards = list.devices.contains { device in
            if case .cpu = device.identity { false } else { true }
        }
        guard asksCards else { return try ResolvedDevices(list, cards: []) }
        let visible: VisibleCards
        do { visible = try VisibleCards() } catch {
            throw CommandError.cards(error, asked: "--devices \(devices ?? "cuda")")
        }
        do { return try ResolvedDevices(list, cards: visible.cards) } catch {
            guard let explanation = VisibleCards.explanation() else { throw error }
            throw CommandError.refused("\(error) (\(explanation).)")
        }
    }

    /// The caps of `--max-memory`, by place in the list of devices.
    private func caps(_ resolved: ResolvedDevices) throws -> MaxMemory {
        guard resolved.devices.count <= Planner.deviceLimit else {
            throw CommandError.invalidOption(
                name: "--devices", expected: "at most \(Planner.deviceLimit) devices",
                got: "\(resolved.devices.count)")
        }
        let caps = try maxMemory.map { try MaxMemory(parsing: $0) } ?? MaxMemory()
        try caps.check(deviceCount: resolved.devices.count)
        return caps
    }
}
