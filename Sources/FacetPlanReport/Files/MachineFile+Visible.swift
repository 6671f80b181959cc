public import FacetPlacement

extension MachineFile {
    /// The cards of the machine as a list of visible ones leaves them, in its order, with the links among them.
    ///
    /// Cards without a UUID or a PCI id can be named by index only. Indices count as the file lists the cards.
    /// - Parameters:
    ///   - list: the value, such as `2,0` or `GPU-8932f937`; PCI ids are understood too.
    ///   - input: what errors call the list.
    /// - Returns: the machine that is left; what of the list was ignored; and which card each number stands for.
    /// - Throws: an entry that names no card, or a card twice.
    public func visible(
        _ list: String, input: String = "--visible-devices"
    ) throws(VisibleDevicesError) -> (machine: MachineFile, notes: [String], mapping: String) {
        let physical = cards.map { card in
            PhysicalCard(uuid: card.uuid ?? "no UUID", pciID: card.pciID ?? "no PCI id")
        }
        let visible = VisibleDevices(parsing: list, cards: physical, order: nil, acceptsPCI: true, input: input)
        try visible.check()
        var machine = self
        let kept = visible.devices.map(\.card)
        machine.cards = kept.map { cards[$0] }
        machine.links = links.compactMap { link in
            let places = link.cards.compactMap { kept.firstIndex(of: $0) }.sorted()
            guard places.count == 2 else { return nil }
            return Link(cards: places, bandwidth: link.bandwidth, latency: link.latency)
        }
        return (machine, visible.notes.map(\.description), visible.mapping(physical))
    }
}
