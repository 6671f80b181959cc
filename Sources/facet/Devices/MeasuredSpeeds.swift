import FacetCUDA
import FacetPlacement
import FacetTensor
import FacetTerminal
import Foundation

/// How fast this machine's cards and the links among them are: measured the first time that cards are used, a second
/// or two for each model of card, and kept.
struct MeasuredSpeeds: Codable {
    /// By the card's name, memory and the driver's version.
    private var cards: [String: CardSpeed] = [:]

    /// By the bus addresses of both cards, in the direction of the copy, and the driver's version.
    private var links: [String: LinkSpeed] = [:]

    /// What is known of a machine's cards; what is missing is measured.
    ///
    /// Cards that cannot be measured keep their nominal rates, and so do simulated ones, whose speed means nothing.
    init(_ machine: CUDAMachine, _ search: LibrarySearch = LibrarySearch()) {
        if let kept = Self.kept() { self = kept }
        let isMissing = machine.contexts.indices.contains { card(machine, $0) == nil } || !missingLinks(machine).isEmpty
        guard isMissing, Self.measures(machine) else { return }
        do {
            try measure(machine, search)
            try keep()
        } catch { Terminal.error.write("facet: the cards' speed is not measured: \(error)\n") }
    }

    private init() {}

    /// The speed of a device; nil when it is not known.
    func card(_ machine: CUDAMachine, _ index: Int) -> CardSpeed? { cards[Self.name(machine, index)] }

    /// The speed from one device to another; nil when it is not known.
    func link(_ machine: CUDAMachine, from source: Int, to target: Int) -> LinkSpeed? {
        links[Self.name(machine, source, target)]
    }

    // MARK: Measuring

    /// `FACET_SPEEDS=measured` measures simulated cards too, as tests want it.
    private static func measures(_ machine: CUDAMachine) -> Bool {
        ProcessInfo.processInfo.environment["FACET_SPEEDS"] == "measured"
            || !machine.contexts.contains { $0.info.name.contains("(simulated)") }
    }

    private mutating func measure(_ machine: CUDAMachine, _ search: LibrarySearch) throws {
        let budgets = try machine.contexts.map { context in
            let shares = machine.contexts.count { $0.info.uuid == context.info.uuid }
            let free = try context.memory().free / shares
            return min(SpeedTrial.preferredByteCount, (free - CUDAMachine.reserveByteCount(context.info)) / 2)
        }
        let devices = try machine.start(
            budgets: budgets, KernelFolders.store(search, machine.driver), CUDAMachine.Options(dtype: nil))
        for index in machine.contexts.indices where card(machine, index) == nil {
            let dtype: DType = machine.contexts[index].info.capability.hasBFloat16 ? .bfloat16 : .float16
            cards[Self.name(machine, index)] = try SpeedTrial(devices, dtype: dtype).card(index)
        }
        let trial = SpeedTrial(devices, dtype: .bfloat16)
        for (source, target) in missingLinks(machine) {
            links[Self.name(machine, source, target)] = try trial.link(from: source, to: target)
        }
    }

    /// Ordered pairs of different cards whose link is not known.
    private func missingLinks(_ machine: CUDAMachine) -> [(Int, Int)] {
        machine.contexts.indices.flatMap { source in
            machine.contexts.indices.compactMap { target in
                let areApart = machine.contexts[source].info.uuid != machine.contexts[target].info.uuid
                return areApart && link(machine, from: source, to: target) == nil ? (source, target) : nil
            }
        }
    }

    // MARK: The file

    private static func name(_ machine: CUDAMachine, _ index: Int) -> String {
        let info = machine.contexts[index].info
        return "\(info.name), \(info.memoryByteCount) bytes, CUDA \(machine.driver.version)"
    }

    private static func name(_ machine: CUDAMachine, _ source: Int, _ target: Int) -> String {
        let (from, to) = (machine.contexts[source].info, machine.contexts[target].info)
        return "\(from.name) \(from.pciID) to \(to.name) \(to.pciID), CUDA \(machine.driver.version)"
    }

    /// What an earlier program measured; nil for no file, or one that is not ours.
    private static func kept() -> MeasuredSpeeds? {
        guard let file = KernelFolders.speeds(), let data = try? Data(contentsOf: URL(fileURLWithPath: file)) else {
            return nil
        }
        return try? JSONDecoder().decode(MeasuredSpeeds.self, from: data)
    }

    private func keep() throws {
        guard let file = KernelFolders.speeds() else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let url = URL(fileURLWithPath: file)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try encoder.encode(self).write(to: url, options: .atomic)
    }
}
