import FacetCUDA
import FacetTensor

/// Backends on the cards of a simulated machine.
enum SimulatedCards {
    /// Makes a backend for each entry of `cards`, the card that it is on; a card that stands there several times is
    /// several devices.
    ///
    /// - Parameter budgets: bytes of each device.
    static func open(
        _ machine: SimulatedMachine, cards: [Int], budgets: [Int], weightDType: DType? = nil
    ) throws -> CUDADevices {
        try open(machine.search, cards: cards, budgets: budgets, weightDType: weightDType)
    }

    /// The same, by the search that finds the machine's library: what is returned may go to an engine.
    static func open(
        _ search: LibrarySearch, cards: [Int], budgets: [Int], weightDType: DType? = nil
    ) throws -> sending CUDADevices {
        let store = KernelStore(engineKernelsIn: nil, cacheFolder: nil, search)
        var options = CUDAMachine.Options()
        options.weightDType = weightDType
        return try CUDAMachine(search, cards: cards).start(budgets: budgets, store, options)
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
