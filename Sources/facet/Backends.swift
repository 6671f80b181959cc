import FacetCUDA
import FacetDoctor
import FacetPlacement
import FacetTensor
import Foundation

/// The composition root's choice of devices: the only place that knows which backends exist.
enum Backends {
    /// What this build computes on.
    static let names = ["cpu", "cuda"]

    /// Asks a driver's libraries about its cards.
    static let gpuProbe: (any GPUProbe)? = CUDAProbe()

    /// The CPU backend.
    ///
    /// - Parameter threads: threads that compute; nil for one per processor that this process may use.
    /// - Throws: `CommandError.invalidOption`, `TensorError`.
    static func cpu(threads: Int?) throws -> CPUBackend {
        if let threads, !(1...1024).contains(threads) {
            throw CommandError.invalidOption(name: "--threads", expected: "1 to 1024", got: "\(threads)")
        }
        return try CPUBackend(threadCount: threads, instructionSet: try forcedInstructionSet())
    }

    /// The devices of a choice, ready to compute; the plain CPU backend without one.
    ///
    /// The processor's parts share out the threads. Starting cards takes their memory and loads their kernels, which are
    /// compiled the first time.
    /// - Returns: the devices in the order of the choice, and how those that are cards compute.
    /// - Throws: `CommandError`, `TensorError`.
    static func start(
        _ choice: DeviceChoice?, threads: Int?
    ) throws -> (devices: [any Backend], cards: [CardReport]) {
        guard let choice else { return ([try cpu(threads: threads)], []) }
        if let threads, !(1...1024).contains(threads) {
            throw CommandError.invalidOption(name: "--threads", expected: "1 to 1024", got: "\(threads)")
        }
        let instructionSet = try forcedInstructionSet()
        let listed = choice.devices.resolved.devices
        let processorCount = listed.count { $0.kind == .processor }
        let share = max(1, (threads ?? CPUFeatures.availableProcessorCount) / max(1, processorCount))
        let cards = try StartedCards(choice)
        var next = cards.backends[...]
        let devices = try zip(listed, choice.budgets).map { device, budget -> any Backend in
            guard device.kind == .processor else { return next.removeFirst() }
            return try CPUDevice(
                index: device.number, threadCount: share, budgetByteCount: budget, instructionSet: instructionSet)
        }
        return (devices, cards.reports)
    }

    /// Threads that compute on all devices together.
    static func threadCount(_ devices: [any Backend]) -> Int {
        devices.reduce(0) { $0 + (($1 as? CPUDevice)?.threadCount ?? ($1 as? CPUBackend)?.threadCount ?? 0) }
    }

    /// What `FACET_ISA` asks for: measurements and tests compare instruction sets with it.
    private static func forcedInstructionSet() throws -> InstructionSet? {
        guard let name = ProcessInfo.processInfo.environment["FACET_ISA"], !name.isEmpty else { return nil }
        guard let set = InstructionSet(rawValue: name) else {
            let names = InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandError.invalidOption(name: "FACET_ISA", expected: "one of \(names)", got: "'\(name)'")
        }
        return set
    }
}

extension [any Backend] {
    /// Whether any of them has a budget that weights count in: they stay as they are stored then.
    var countWeights: Bool { contains { $0.memoryUse?.countsWeights ?? false } }
}
