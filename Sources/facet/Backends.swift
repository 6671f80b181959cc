import FacetDoctor
import FacetTensor
import Foundation

/// The composition root's choice of devices: the only place that knows which backends exist.
enum Backends {
    /// What this build computes on.
    static let names = ["cpu"]

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

    /// Devices with these budgets, which share out the threads; the plain CPU backend for no budgets at all.
    ///
    /// - Throws: `CommandError.invalidOption`, `TensorError`.
    static func devices(_ budgets: [Int?]?, threads: Int?) throws -> [any Backend] {
        guard let budgets else { return [try cpu(threads: threads)] }
        if let threads, !(1...1024).contains(threads) {
            throw CommandError.invalidOption(name: "--threads", expected: "1 to 1024", got: "\(threads)")
        }
        let instructionSet = try forcedInstructionSet()
        let share = max(1, (threads ?? CPUFeatures.availableProcessorCount) / budgets.count)
        return try budgets.enumerated().map { index, budget in
            try CPUDevice(
                index: index, threadCount: share, budgetByteCount: budget, instructionSet: instructionSet)
        }
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
