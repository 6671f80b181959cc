import FacetTensor
import Foundation

/// The composition root's choice of devices: the only place that knows which backends exist.
enum Backends {
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
