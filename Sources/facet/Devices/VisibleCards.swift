import FacetCUDA
import FacetPlacement
import Foundation

/// The cards that the driver shows to this program.
struct VisibleCards {
    /// What the driver says of each, in its order.
    let devices: [CUDADevice]

    /// Asks the driver.
    ///
    /// - Throws: `CUDAError`.
    init(_ search: LibrarySearch = LibrarySearch()) throws(CUDAError) {
        devices = try CUDADriver(search).devices()
    }

    /// As lists of devices name them.
    var cards: [VisibleCard] {
        devices.map { VisibleCard(name: $0.name, uuid: $0.uuid.description, pciID: $0.pciID) }
    }

    /// The numbers of those that this package has kernels for.
    var supported: [Int] { devices.indices.filter { devices[$0].capability >= Self.leastCapability } }

    /// Older cards have no kernels: what a release and the compilers of CUDA 13 still know.
    static let leastCapability = ComputeCapability(7, 5)

    /// What CUDA_VISIBLE_DEVICES does to the cards of this machine, as far as NVML tells; nil when it is not set.
    static func explanation(
        _ search: LibrarySearch = LibrarySearch(),
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        guard let list = environment["CUDA_VISIBLE_DEVICES"] else { return nil }
        let said = "CUDA_VISIBLE_DEVICES is '\(list)'"
        guard let (visible, cards) = reading(of: list, search, environment) else { return said }
        return ([said] + visible.notes.map(\.description) + [visible.mapping(cards)]).joined(separator: "; ")
    }

    /// What of CUDA_VISIBLE_DEVICES can only be a mistake; nil when nothing is.
    static func mistake(
        _ search: LibrarySearch = LibrarySearch(),
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        guard let list = environment["CUDA_VISIBLE_DEVICES"],
            let (visible, _) = reading(of: list, search, environment)
        else { return nil }
        return visible.notes.first(where: \.isMistake)?.description
    }

    /// The variable as CUDA reads it, on the cards that NVML lists; nil where it lists none.
    private static func reading(
        of list: String, _ search: LibrarySearch, _ environment: [String: String]
    ) -> (VisibleDevices, [PhysicalCard])? {
        guard let cards = try? NVML(search).cards(), !cards.isEmpty else { return nil }
        let physical = cards.map { card in
            PhysicalCard(
                uuid: card.uuid, pciID: card.pciID ?? "",
                instances: card.instances.map { instance in
                    PhysicalCard.Instance(
                        uuid: instance.uuid, gpuInstance: instance.gpuInstance ?? 0,
                        computeInstance: instance.computeInstance ?? 0)
                })
        }
        let order = (try? DeviceOrder(parsing: environment["CUDA_DEVICE_ORDER"])) ?? .fastestFirst
        return (VisibleDevices(parsing: list, cards: physical, order: order), physical)
    }
}

extension CommandError {
    /// Why cards that were asked for cannot be used; the processor always can.
    static func cards(_ error: any Error, asked: String) -> CommandError {
        var text = "\(asked): \(error)"
        if let explanation = VisibleCards.explanation() { text += " (\(explanation).)" }
        return .refused(text + " --devices cpu computes on the processor.")
    }
}
