import FacetPlacement

/// Which cards this process sees.
struct Visibility {
    /// What is visible, and what is wrong with the list; nil when there are no cards, or when only the driver's
    /// libraries could tell which ones the list means.
    let list: VisibleDevices?

    /// The order that the indices follow.
    let order: DeviceOrder

    /// Whether CUDA_DEVICE_ORDER is a word that CUDA does not know.
    let hasUnknownOrder: Bool

    /// What the list chooses from.
    let cards: [PhysicalCard]

    init(_ facts: Facts) {
        cards = CardList(facts).physicalCards
        let known = try? DeviceOrder(parsing: facts.environment?.cudaDeviceOrder)
        hasUnknownOrder = known == nil
        order = known ?? .fastestFirst
        let text = facts.environment?.cudaVisibleDevices
        let isKnown = Self.isKnown(text ?? "", cards, hasLibraries: facts.gpu != nil)
        list = cards.isEmpty || !isKnown ? nil : VisibleDevices(parsing: text, cards: cards, order: order)
    }

    /// The visible devices in CUDA's order; nil when that cannot be said.
    var devices: [VisibleDevices.Device]? { list?.devices }

    /// Whether the names that a list uses are known: UUIDs come from the driver, those of instances from its libraries.
    private static func isKnown(_ list: String, _ cards: [PhysicalCard], hasLibraries: Bool) -> Bool {
        if list.hasPrefix("MIG-") { return hasLibraries }
        return !list.hasPrefix("GPU-") || cards.allSatisfy { !$0.uuid.isEmpty }
    }
}
