import ArgumentParser
import FacetEngine
import FacetPlacement
import FacetPlanReport
import FacetTensor
import Foundation

/// Options that say which devices a plan may use.
struct PlanMachineArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Cards that need not exist: '2x RTX 4090', 'RTX 3090, 2x T4', '24GiB,12GiB'.", valueName: "list"))
    var cards: String?

    @Option(help: ArgumentHelp("A machine described in a JSON file; docs/plan-json.md says how.", valueName: "file"))
    var machine: String?

    @Option(
        name: .customLong("visible-devices"),
        help: ArgumentHelp(
            "Cards of the machine to use, in this order: indices, UUIDs or PCI ids as in CUDA_VISIBLE_DEVICES.",
            valueName: "list"))
    var visibleDevices: String?

    @Option(
        name: .customLong("max-memory"),
        help: ArgumentHelp("Most memory to take: '0=20GiB,1=22GiB,cpu=64GiB', or one size per card.", valueName: "caps")
    )
    var maxMemory: String?

    @Option(
        name: .customLong("context-memory"),
        help: ArgumentHelp("Memory of a card that the driver and libraries take; 512MiB without it.", valueName: "size")
    )
    var contextMemory: String?

    @Option(
        help: ArgumentHelp(
            "Memory of each device to keep free; without it the larger of 256 MiB and 2 %.", valueName: "size"))
    var margin: String?

    /// The machine, and the caps on it.
    ///
    /// - Parameter addsProcessor: whether the processor stands behind the cards as one more device.
    func resolve(addsProcessor: Bool) throws -> (machine: PlanMachine, caps: MaxMemory) {
        let caps = try maxMemory.map { try MaxMemory(parsing: $0) } ?? MaxMemory()
        var machine = try chosenMachine(caps)
        if addsProcessor, machine.machine.devices.contains(where: { $0.kind == .gpu }) {
            machine.addProcessor()
        }
        try caps.check(deviceCount: machine.names.count)
        if let host = caps.host { machine.machine.hostFreeBytes = host }
        return (machine, caps)
    }

    private func chosenMachine(_ caps: MaxMemory) throws -> PlanMachine {
        guard machine == nil || cards == nil else {
            throw CommandError.invalidOption(name: "--cards", expected: "left out beside --machine", got: "there")
        }
        var assumptions = PlanMachine.Assumptions()
        if let contextMemory {
            assumptions.contextByteCount = try ByteSize.parse(contextMemory, input: "--context-memory")
        }
        if let margin { assumptions.marginByteCount = try ByteSize.parse(margin, input: "--margin") }
        if let host = caps.host { assumptions.hostFreeByteCount = host }
        if let cards {
            guard visibleDevices == nil else {
                throw CommandError.invalidOption(
                    name: "--visible-devices", expected: "left out beside --cards", got: "there")
            }
            return PlanMachine(try CardList(parsing: cards, known: KnownCard.all.map(\.name)), assumptions)
        }
        guard let machine else { return try LocalMachine.planMachine(assumptions, visibleDevices: visibleDevices) }
        let bytes = try InputFile.bytes(machine)
        var file = try MachineFile(parsing: bytes, input: machine)
        var notes: [String] = []
        if let visibleDevices {
            let visible = try file.visible(visibleDevices)
            file = visible.machine
            notes = visible.notes + ["visible: " + visible.mapping]
        }
        var result = try PlanMachine(file, assumptions, input: machine)
        result.notes = notes + result.notes
        guard !result.names.isEmpty else {
            throw CommandError.invalidOption(
                name: visibleDevices == nil ? "--machine" : "--visible-devices", expected: "such that a card is left",
                got: "'\(visibleDevices ?? machine)'")
        }
        return result
    }
}

/// The machine that this process runs on.
enum LocalMachine {
    /// The cards that the driver shows, as they are now; the processor as one device, its speed measured, where there
    /// is none.
    static func planMachine(
        _ assumptions: PlanMachine.Assumptions, visibleDevices: String?
    ) throws -> PlanMachine {
        if visibleDevices != nil {
            throw CommandError.invalidOption(
                name: "--visible-devices", expected: "beside --machine: for this machine set CUDA_VISIBLE_DEVICES",
                got: "alone")
        }
        if let cards = try AutomaticDevices().list {
            var machine = try OpenDevices(cards).planMachine(
                hostByteCount: SystemMemory.availableByteCount() ?? assumptions.hostFreeByteCount)
            if let margin = assumptions.marginByteCount {
                for index in machine.machine.devices.indices { machine.machine.devices[index].marginBytes = margin }
            }
            return machine
        }
        let limits = try MachineLimits.measure(try Backends.cpu(threads: nil))
        let total = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        let free = min(total, SystemMemory.availableByteCount() ?? total)
        let features = CPUFeatures()
        let device = DeviceProfile(
            name: features.modelName, kind: .cpu, totalBytes: total, freeBytes: free, contextBytes: 0,
            marginBytes: assumptions.marginByteCount,
            rates: DeviceRates(
                flops: limits.bfloat16Rate ?? limits.float32Rate, bandwidth: limits.readRate, source: .measured))
        let note =
            "no card is visible, so this machine computes on the processor: \(features.processorCount) processors and the memory that is "
            + "available are one device; describe cards with --machine or --cards"
        return PlanMachine(
            Machine(name: "this machine", devices: [device], hostFreeBytes: 0), names: ["cpu"], notes: [note])
    }
}

/// Files that commands read whole.
enum InputFile {
    /// The bytes of a file of at most 16 MiB.
    ///
    /// - Throws: `CommandError.unreadable`.
    static func bytes(_ path: String) throws -> [UInt8] {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: FilePath.expanded(path)))
            guard let data = try file.read(upToCount: limit + 1) else { return [] }
            guard data.count <= limit else {
                throw CommandError.unreadable(path: path, reason: "it is larger than 16 MiB")
            }
            return [UInt8](data)
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError.unreadable(path: path, reason: "it does not exist or is no file that can be read")
        }
    }

    private static let limit = 16 << 20
}
