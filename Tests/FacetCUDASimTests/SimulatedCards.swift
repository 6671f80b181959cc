import FacetCUDA
import FacetTensor

/// Backends on the cards of a simulated machine.
enum SimulatedCards {
    /// Makes a backend for each entry of `cards`, the card that it is on; a card that stands there several times is
    /// several devices.
    ///
    /// - Parameter budgets: bytes of each device.
    static func open(
        _ machine: SimulatedMachine, cards: [Int], budgets: [Int], allowsDirectCopies: Bool = true
    ) throws -> CUDADevices {
        var options = CUDAMachine.Options()
        options.allowsDirectCopies = allowsDirectCopies
        return try CUDAMachine(machine.search, cards: cards).start(
            budgets: budgets, machine.kernelStore(), options)
    }

    /// A machine of unlike cards: the one of the list's place has so many MiB.
    static func machine(
        memoryMiB: [Int], capabilities: [String] = ["9.0"], links: String = #"{ "peer": "ok" }"#,
        _ order: SimulatedMachine.Order = .threads
    ) throws -> SimulatedMachine {
        let cards = memoryMiB.enumerated().map { index, memory in
            """
            { "name": "Test card \(index)", "compute_capability": "\(capabilities[index % capabilities.count])",
              "multiprocessors": 4, "memory_mib": \(memory), "context_mib": 1 }
            """
        }
        return try SimulatedMachine(
            #"{ "name": "unlike cards", "devices": [ \#(cards.joined(separator: ",\n")) ], "every_link": \#(links) }"#,
            order)
    }
}
