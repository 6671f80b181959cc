import FacetCUDA
import FacetPlacement

/// The cards of a run with their memory taken and their kernels loaded.
struct StartedCards {
    /// The backends, one for each device that is a card.
    let backends: [CUDABackend]

    /// How they compute.
    let reports: [CardReport]

    /// Starts the cards of a choice; nothing where it has none.
    ///
    /// - Throws: `CommandError.refused`.
    init(_ choice: DeviceChoice, _ search: LibrarySearch = LibrarySearch()) throws {
        guard let machine = choice.devices.machine else {
            (backends, reports) = ([], [])
            return
        }
        let budgets = zip(choice.devices.resolved.devices, choice.budgets)
            .compactMap { $0.card == nil ? nil : $1 }
        let devices: CUDADevices
        let options = CUDAMachine.Options(dtype: choice.dtype)
        do throws(CUDAError) {
            devices = try machine.start(budgets: budgets, KernelFolders.store(search, machine.driver), options)
        } catch { throw CommandError.cards(error, asked: "the cards cannot be started") }
        let parts = choice.devices.resolved.devices.filter { $0.card != nil }
        backends = devices.backends
        let precision = choice.plan.request.precision
        let hasFloat8 = [precision.vision, precision.decoder, precision.output].contains(.float8)
        reports = parts.indices.map {
            CardReport(parts[$0], at: $0, of: devices, budgets[$0], choice.dtype, hasFloat8: hasFloat8)
        }
    }
}
