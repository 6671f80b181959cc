public import FacetPlacement

extension PlanMachine {
    /// What a plan has to know of a card of this machine whose context has been opened.
    public struct OpenCard: Sendable, Hashable {
        /// The driver's name of it.
        public var name: String

        /// All of its memory.
        public var totalByteCount: Int

        /// Bytes that nobody has taken, the context's being taken already.
        public var freeByteCount: Int

        /// Bytes that its backend takes beside the tensors.
        public var reserveByteCount: Int

        /// What was measured of it; nil to go by its name.
        public var rates: DeviceRates?

        /// The way from the host to it, if that was measured.
        public var hostLink: LinkProfile?

        /// The ways to other cards of the list, by their places among the cards, as far as they were measured.
        public var links: [Int: LinkProfile] = [:]

        /// Describes a card.
        public init(name: String, totalByteCount: Int, freeByteCount: Int, reserveByteCount: Int) {
            self.name = name
            self.totalByteCount = totalByteCount
            self.freeByteCount = freeByteCount
            self.reserveByteCount = reserveByteCount
        }
    }

    /// The devices of a list on this machine.
    ///
    /// A device with a size may use all of it; of a card without one what is free may be used, less the planner's margin.
    /// The context is among what others use, since it was open when that was read.
    /// - Parameters:
    ///   - cards: one for each device that is a card, in order.
    ///   - hostByteCount: memory that the processor's parts share, unless they have sizes.
    /// - Precondition: there are as many cards as the list has.
    public init(_ resolved: ResolvedDevices, cards: [OpenCard], hostByteCount: Int) {
        precondition(cards.count == resolved.cards.count, "every card of the list is open")
        let processors = resolved.devices.filter { $0.kind == .processor }
        let host = PlanMachine.processors(budgets: processors.map(\.byteCount), availableByteCount: hostByteCount)
        guard !cards.isEmpty else {
            self = host
            return
        }
        var rest = cards[...]
        var parts = host.machine.devices[...]
        let devices = resolved.devices.map { device in
            switch device.kind {
            case .processor: parts.removeFirst()
            case .card: Self.profile(rest.removeFirst(), size: device.byteCount)
            }
        }
        var machine = Machine(
            name: "this machine", devices: devices, links: Self.links(resolved, cards), hostFreeBytes: hostByteCount)
        // Streamed units come at the rate of the slowest way.
        if let slowest = cards.compactMap(\.hostLink).min(by: { $0.bandwidth < $1.bandwidth }) {
            machine.hostLink = slowest
        }
        let areMeasured = cards.allSatisfy { $0.rates != nil }
        self.init(
            machine, names: resolved.devices.map(\.name),
            notes: ["times are predicted from cards' \(areMeasured ? "measured" : "nominal") rates"])
        if resolved.dividesCards {
            notes.append("a card is divided into logical devices, which share its speed: for tests, not for use")
        }
    }

    private static func links(_ resolved: ResolvedDevices, _ cards: [OpenCard]) -> [DevicePair: LinkProfile] {
        let places = resolved.devices.indices.filter { resolved.devices[$0].card != nil }
        var links: [DevicePair: LinkProfile] = [:]
        for (source, card) in zip(places, cards) {
            for (target, link) in card.links where places.indices.contains(target) {
                links[DevicePair(from: source, to: places[target])] = link
            }
        }
        return links
    }

    private static func profile(_ card: OpenCard, size: Int?) -> DeviceProfile {
        let known = KnownCard.like(driverName: card.name, memoryByteCount: card.totalByteCount)
        let rates =
            card.rates
            ?? DeviceRates(
                flops: (known?.teraflops ?? ordinaryTeraflops) * 1e12,
                bandwidth: (known?.gigabytesPerSecond ?? ordinaryBandwidth) * 1e9)
        return DeviceProfile(
            name: card.name, totalBytes: size ?? card.totalByteCount, freeBytes: size ?? card.freeByteCount,
            contextBytes: card.reserveByteCount, marginBytes: size == nil ? nil : 0, rates: rates)
    }
}
