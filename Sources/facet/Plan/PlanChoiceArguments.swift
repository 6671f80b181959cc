import ArgumentParser
import FacetPlacement
import FacetPlanReport

/// Options that say how devices are chosen: what is optimized, what is pinned, what is allowed.
struct PlanChoiceArguments: ParsableArguments {
    /// Something that a plan does not do unless it is allowed.
    enum Permission: String, CaseIterable {
        /// Vision weights may stay in host memory.
        case streamVision = "stream-vision"
        /// Decoder weights may.
        case streamDecoder = "stream-decoder"
        /// Streamed weights may stay in the checkpoint's files.
        case disk
        /// The processor may compute units beside cards.
        case cpu
    }

    @Option(
        help: ArgumentHelp(
            "What is optimized: \(Objective.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "goal"))
    var optimize: String?

    @Option(
        help: ArgumentHelp(
            "How devices are filled: \(Policy.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Where a chain goes: vision=1, vision=stream, vision=cpu, decoder=0-1. May be repeated.",
            valueName: "chain=place"))
    var place: [String] = []

    @Option(
        help: ArgumentHelp(
            "What a plan may do when it must: stream-vision, stream-decoder, disk, cpu.", valueName: "list"))
    var allow: String?

    @Option(
        name: .customLong("device-map"),
        help: ArgumentHelp("Check this device map (JSON, Hugging Face form) instead of planning.", valueName: "file"))
    var deviceMap: String?

    /// The pins of all `--place` options.
    func places() throws -> [PlaceSpec] {
        guard !place.isEmpty else { return [] }
        return try PlaceSpec.parse(place.joined(separator: ","))
    }

    /// What `--allow` lists.
    func permissions() throws -> Set<Permission> {
        guard let allow else { return [] }
        return Set(try EntryText.entries(of: allow).map { try NamedChoice.value($0, option: "--allow") })
    }

    /// What is optimized.
    func chosenObjective() throws -> Objective {
        try optimize.map { try NamedChoice.value($0, option: "--optimize") } ?? .balanced
    }

    /// How devices are filled.
    ///
    /// - Throws: also when an objective is named beside a policy that has its own.
    func chosenPolicy() throws -> Policy {
        let chosen: Policy = try policy.map { try NamedChoice.value($0, option: "--policy") } ?? .auto
        guard chosen == .auto || optimize == nil else {
            throw CommandError.invalidOption(
                name: "--optimize", expected: "left out beside --policy \(chosen.rawValue), which balances",
                got: "there")
        }
        guard chosen == .auto || deviceMap == nil else {
            throw CommandError.invalidOption(name: "--policy", expected: "left out beside --device-map", got: "there")
        }
        return chosen
    }

    /// The placement of `--device-map`; nil without it.
    func placement(_ modules: ModuleNames, _ names: [String]) throws -> Placement? {
        guard let deviceMap else { return nil }
        let map = try DeviceMapFile.read(try InputFile.bytes(deviceMap), input: deviceMap)
        return try map.placement(modules, devices: names, input: deviceMap)
    }
}
