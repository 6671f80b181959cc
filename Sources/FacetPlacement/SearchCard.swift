/// A device as the search sees it: limits that are linear in the layers, and additive costs.
struct SearchCard: Sendable {
    /// Memory that the device may use, in bytes.
    var memoryLimit: Int
    /// Memory that is gone as soon as the device takes part: context, other processes, margin.
    var fixedBytes: Int
    /// Nanoseconds of each unit for the objective that limits the busiest device.
    var load: PerKind<Int>
    /// Limit of the sum of these; nil for none.
    var loadLimit: Int?
    /// Additive cost of each unit.
    var cost: PerKind<Int>
    /// Additive costs of taking part, and of each hop into the device.
    var cardCost: Int
    var visionHopCost: Int
    var decoderHopCost: Int
    var featureHopCost: Int
    /// Kinds that may be put here.
    var allowed: UnitKinds
    /// Whether the device must hold something.
    var isRequired: Bool
}

/// What a role allows on a device: for each number of decoder layers, how many vision layers fit beside them.
struct Reach: Sendable {
    let role: CardRole
    /// By the number of decoder layers, falling; it ends with the last number that fits.
    let visionLayers: [Int32]
    /// Numbers of decoder layers that the role may take.
    let decoderLayers: ClosedRange<Int>
    /// The fewest vision layers that the role must take.
    let firstVision: Int
    /// Cost without the layers.
    let cost: Int
}

/// The decision for one device.
struct CardChoice: Sendable, Hashable {
    let role: CardRole
    let visionLayers: Int
    let decoderLayers: Int
}

/// Sizes that all devices share: layers of both chains, and what they need in memory.
struct SearchModel: Sendable {
    let visionLayers: Int
    let decoderLayers: Int
    let table: MemoryTable
    /// Whether several devices take part.
    let hops: Bool

    /// Bytes of a device without context, other processes and margin.
    func byteCount(_ choice: CardChoice) -> Int {
        table.terms(
            choice.role.kinds, visionLayers: choice.visionLayers, decoderLayers: choice.decoderLayers, hops: hops
        ).total
    }

    /// What each role allows on a device.
    func reaches(_ card: SearchCard, roles: [CardRole] = CardRole.all) -> [Reach] {
        roles.compactMap { card.allowed.isSuperset(of: $0.kinds) ? reach($0, card) : nil }
    }

    private func reach(_ role: CardRole, _ card: SearchCard) -> Reach? {
        let base = table.terms(role.kinds, visionLayers: 0, decoderLayers: 0, hops: hops).total
        let bytes = card.memoryLimit - card.fixedBytes - base
        let time = card.loadLimit.map { $0 - singlesSum(role, card.load) }
        guard bytes >= 0, (time ?? 0) >= 0 else { return nil }
        var range = counts(role.decoder, decoderLayers)
        // A required device must not get away with a role of layers and no layer.
        let mustTake = card.isRequired && role.singles == 0
        if mustTake, role.decoder != .none { range = min(1, range.upperBound)...range.upperBound }
        let firstVision = role.vision == .all ? visionLayers : (mustTake && role.decoder == .none ? 1 : 0)
        var room: [Int32] = []
        for layers in 0...range.upperBound {
            let memory = quotient(
                bytes - layers * (table.weights[.decoderLayer] + table.cachePerLayer), table.weights[.visionLayer])
            let busy = time.map { quotient($0 - layers * card.load[.decoderLayer], card.load[.visionLayer]) }
            let most = min(memory, busy ?? visionLayers, counts(role.vision, visionLayers).upperBound)
            guard most >= firstVision else { break }
            room.append(Int32(most))
        }
        guard room.count > range.lowerBound else { return nil }
        return Reach(
            role: role, visionLayers: room, decoderLayers: range.lowerBound...(room.count - 1),
            firstVision: firstVision, cost: cost(role, card))
    }

    private func counts(_ layers: CardRole.Layers, _ count: Int) -> ClosedRange<Int> {
        switch layers {
        case .none: 0...0
        case .some: 0...count
        case .all: count...count
        }
    }

    /// How many times `size` goes into `room`; -1 for none, even of nothing.
    private func quotient(_ room: Int, _ size: Int) -> Int {
        if room < 0 { return -1 }
        return size == 0 ? visionLayers : min(visionLayers, room / size)
    }

    private func singlesSum(_ role: CardRole, _ values: PerKind<Int>) -> Int {
        CardRole.singleKinds.reduce(0) { $0 + (role.kinds.contains($1) ? values[$1] : 0) }
    }

    private func cost(_ role: CardRole, _ card: SearchCard) -> Int {
        card.cardCost + singlesSum(role, card.cost) + (role.entersVision ? card.visionHopCost : 0)
            + (role.entersDecoder ? card.decoderHopCost : 0) + (role.entersFeatures ? card.featureHopCost : 0)
    }
}
