import FacetCUDA
import FacetEngine
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// The devices of a run before anything is loaded onto them: the cards' contexts are open, their memory is not taken.
struct OpenDevices {
    /// What the list of devices stands for on this machine.
    let resolved: ResolvedDevices

    /// The cards; nil for processors only.
    let machine: CUDAMachine?

    /// Bytes that nobody has taken of each device that is a card, in order.
    private let free: [Int]

    /// Opens the cards of a list, and compares its sizes with what is free.
    ///
    /// - Parameter caps: most bytes of each device; more than there is caps nothing.
    /// - Throws: `CommandError.refused` for a card that cannot be opened, `PlacementInputError` for a size beyond what
    ///   is free.
    init(_ resolved: ResolvedDevices, caps: MaxMemory = MaxMemory()) throws {
        guard !resolved.cards.isEmpty else {
            self.resolved = resolved.capped { caps.limit(device: $0) }
            (machine, free) = (nil, [])
            return
        }
        do {
            let numbers = resolved.devices.filter { $0.card != nil }.map(\.number)
            let machine = try CUDAMachine(cards: resolved.cards, numbers: numbers)
            free = try machine.contexts.map { try $0.memory().free }
            self.machine = machine
        } catch { throw CommandError.cards(error, asked: "--devices") }
        try resolved.check(free: Dictionary(zip(resolved.cards, free)) { min($0, $1) })
        var usable: [Int: Int] = [:]
        let places = resolved.devices.indices.filter { resolved.devices[$0].card != nil }
        for (place, (context, free)) in zip(places, zip(machine?.contexts ?? [], free)) {
            usable[place] = free - DeviceProfile.ordinaryMargin(context.info.memoryByteCount)
        }
        self.resolved = resolved.capped { place in
            caps.limit(device: place).flatMap { $0 < usable[place] ?? .max ? $0 : nil }
        }
    }

    /// The devices as the planner takes them.
    func planMachine(hostByteCount: Int) -> PlanMachine {
        let contexts = machine?.contexts ?? []
        // One device gets everything, however fast it is.
        let speeds = resolved.devices.count > 1 ? machine.map { MeasuredSpeeds($0) } : nil
        let cards = contexts.indices.map { index in
            let info = contexts[index].info
            var card = PlanMachine.OpenCard(
                name: info.name, totalByteCount: info.memoryByteCount, freeByteCount: free[index],
                reserveByteCount: CUDAMachine.reserveByteCount(info))
            guard let machine, let speeds, let speed = speeds.card(machine, index) else { return card }
            card.rates = DeviceRates(flops: speed.flops, bandwidth: speed.bandwidth, source: .measured)
            card.hostLink = LinkProfile(latency: 10e-6, bandwidth: speed.uploadBandwidth, source: .measured)
            for target in contexts.indices {
                guard let link = speeds.link(machine, from: index, to: target) else { continue }
                card.links[target] = LinkProfile(
                    latency: link.latency, bandwidth: link.bandwidth, source: .measured)
            }
            return card
        }
        return PlanMachine(resolved, cards: cards, hostByteCount: hostByteCount)
    }
}
