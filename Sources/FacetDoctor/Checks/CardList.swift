import FacetPlacement

/// The cards of a machine, from whoever tells most of them: NVML, or else the PCI bus and the driver's tables.
struct CardList {
    /// One card, as far as both sources know it.
    struct Entry {
        /// What the driver's libraries tell; nil when nobody asked them.
        var card: CardFacts?
        /// What the bus tells; nil when the card is not on it.
        var pci: PCICard?

        var name: String? { card?.name ?? pci?.name }
        var uuid: String? { card?.uuid ?? pci?.uuid }
        var address: String? { card?.address ?? pci?.address }
        var totalBytes: Int? { card?.totalBytes ?? known.map { $0.memory << 30 } }
        var link: LinkFacts? { card?.link ?? pci?.link }
        var memoryNode: Int? { card?.memoryNode ?? pci?.memoryNode }

        /// The table's entry for this kind of card.
        var known: KnownCard? { name.flatMap(KnownCard.named) }
    }

    let entries: [Entry]

    init(_ facts: Facts) {
        let bus = facts.driver?.pciCards ?? []
        if let cards = facts.gpu?.cards {
            entries = cards.map { card in
                let key = card.address.map(Self.key)
                return Entry(card: card, pci: key.flatMap { key in bus.first { Self.key($0.address) == key } })
            }
        } else {
            // A container sees every card on the bus, but the driver tells it of those that it was given only.
            let given = bus.filter { $0.name != nil }
            entries = (given.isEmpty ? bus : given).map { Entry(card: nil, pci: $0) }
        }
    }

    var count: Int { entries.count }

    var isEmpty: Bool { entries.isEmpty }

    /// Whether the cards differ in kind, so that their order matters.
    var isMixed: Bool { Set(entries.map { $0.name ?? $0.pci?.model ?? "" }).count > 1 }

    /// The cards as CUDA_VISIBLE_DEVICES chooses among them.
    var physicalCards: [PhysicalCard] {
        entries.map { entry in
            PhysicalCard(
                uuid: entry.uuid ?? "", pciID: entry.address ?? "", speed: entry.known?.teraflops,
                instances: (entry.card?.instances ?? []).map {
                    PhysicalCard.Instance(
                        uuid: $0.uuid, gpuInstance: $0.gpuInstance, computeInstance: $0.computeInstance)
                })
        }
    }

    /// NVML writes domains of eight digits and capitals, the kernel of four and small letters.
    private static func key(_ address: String) -> String {
        let text = address.lowercased()
        let zeros = text.prefix { $0 == "0" }.count
        let digits = text.prefix { $0 != ":" }.count
        return String(text.dropFirst(min(zeros, max(0, digits - 4))))
    }
}
