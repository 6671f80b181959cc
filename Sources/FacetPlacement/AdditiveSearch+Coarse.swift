extension AdditiveSearch {
    /// Layers of a group: small enough for a tight bound, large enough for a search that costs next to nothing.
    private static let group = 4

    /// The same search below an upper bound; nil when this one has a bound, or when none would help.
    var bounded: AdditiveSearch? {
        let hasSlopes = cards.contains { $0.cost[.visionLayer] > 0 || $0.cost[.decoderLayer] > 0 }
        guard hasSlopes, ceiling == nil, cards.count > 3, visionLayers > 16 else { return nil }
        var bounded = self
        bounded.ceiling = coarsened(Self.group).minimum()?.cost ?? Self.unreachable
        return bounded
    }

    /// The search with layers in groups, the last group counted as whole.
    ///
    /// A placement that it finds is one of this search after layers that do not exist are taken away, which only lowers
    /// its cost.
    private func coarsened(_ group: Int) -> AdditiveSearch {
        var scaled = cards
        for index in scaled.indices {
            scaled[index].cost[.visionLayer] *= group
            scaled[index].cost[.decoderLayer] *= group
        }
        return AdditiveSearch(
            visionLayers: visionLayers.dividedUp(by: group), decoderLayers: decoderLayers.dividedUp(by: group),
            cards: scaled, reaches: reaches.map { $0.compactMap { coarsened($0, group) } },
            ceiling: ceiling ?? Self.unreachable)
    }

    private func coarsened(_ reach: Reach, _ group: Int) -> Reach? {
        let range = reach.decoderLayers
        let isWhole = range.upperBound == decoderLayers
        let upper = isWhole ? decoderLayers.dividedUp(by: group) : range.upperBound / group
        let lower = range.lowerBound.dividedUp(by: group)
        let first = reach.firstVision.dividedUp(by: group)
        var room: [Int32] = []
        for groups in 0...upper {
            let layers = Int(reach.visionLayers[min(groups * group, range.upperBound)])
            let count = layers >= visionLayers ? visionLayers.dividedUp(by: group) : layers / group
            guard count >= first else { break }
            room.append(Int32(count))
        }
        guard room.count > lower else { return nil }
        return Reach(
            role: reach.role, visionLayers: room, decoderLayers: lower...(room.count - 1), firstVision: first,
            cost: reach.cost)
    }
}
