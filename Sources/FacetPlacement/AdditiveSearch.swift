/// The placement with the smallest sum of costs among those within the limits.
///
/// Dynamic programming over the devices; a state is which single units are taken and how many layers of each chain, its
/// value the smallest cost. A role's layers cost the same each, so with costs measured relative to a layer's, adding a
/// device is a minimum over a window of the states before it, and windows of any length are two lookups in a table of
/// minima over powers of two. States from which the remaining devices cannot take the rest are left out: a frontier of
/// the devices from the last to the first says which.
///
/// Where layers cost something, a coarse search that moves them in groups comes first: its result is an upper bound, and
/// states whose cost and least cost to the end exceed it are left out too.
struct AdditiveSearch {
    let visionLayers: Int
    let decoderLayers: Int
    let cards: [SearchCard]
    let reaches: [[Reach]]
    /// Placements that cost more are of no interest.
    var ceiling: Int?

    /// Larger than any cost; two of them can be added.
    static let unreachable = 1 << 61

    /// States of the layers for one set of single units.
    private var stateCount: Int { (visionLayers + 1) * (decoderLayers + 1) }

    /// The cheapest placement, one choice per device (nil: not used); nil when none fits.
    ///
    /// Ties go to the devices that come first.
    func minimum() -> (cost: Int, choices: [CardChoice?])? {
        if let bounded { return bounded.minimum() }
        let fewest = fewestVisionLayers()
        var tables: [[Int]] = [start]
        for index in cards.indices.dropLast() {
            tables.append(added(index, to: tables[index], fewest: fewest[index + 1]))
        }
        guard let last = cards.indices.last else { return nil }
        var state = State(singles: CardRole.allSingles, vision: visionLayers, decoder: decoderLayers)
        guard var found = cheapest(last, into: state, from: tables[last]) else { return nil }
        let cost = found.cost
        var choices = [CardChoice?](repeating: nil, count: cards.count)
        for index in cards.indices.reversed() {
            if index != last {
                guard let next = cheapest(index, into: state, from: tables[index]) else { return nil }
                found = next
            }
            choices[index] = found.choice
            if let choice = found.choice { state = state.before(choice) }
        }
        return (cost, choices)
    }

    private struct State {
        var singles: Int
        var vision: Int
        var decoder: Int

        func before(_ choice: CardChoice) -> State {
            State(
                singles: singles & ~choice.role.singles, vision: vision - choice.visionLayers,
                decoder: decoder - choice.decoderLayers)
        }
    }

    private var start: [Int] {
        var table = [Int](repeating: Self.unreachable, count: (CardRole.allSingles + 1) * stateCount)
        table[0] = 0
        return table
    }

    /// The cheapest way for one device to lead to a state.
    private func cheapest(_ index: Int, into state: State, from table: [Int]) -> (cost: Int, choice: CardChoice?)? {
        let (card, width) = (cards[index], visionLayers + 1)
        var best = Self.unreachable / 2
        var choice: CardChoice?
        var isFound = false
        if !card.isRequired {
            let cost = table[state.singles * stateCount + state.decoder * width + state.vision]
            if cost < best { (best, isFound) = (cost, true) }
        }
        for reach in reaches[index] where state.singles & reach.role.singles == reach.role.singles {
            let base = (state.singles & ~reach.role.singles) * stateCount
            let most = min(reach.decoderLayers.upperBound, state.decoder)
            guard most >= reach.decoderLayers.lowerBound else { continue }
            for decoder in reach.decoderLayers.lowerBound...most {
                let row = base + (state.decoder - decoder) * width
                let first = reach.firstVision
                let last = min(Int(reach.visionLayers[decoder]), state.vision)
                guard last >= first else { continue }
                let fixed = reach.cost + decoder * card.cost[.decoderLayer]
                for vision in first...last {
                    let cost = table[row + state.vision - vision] + fixed + vision * card.cost[.visionLayer]
                    guard cost < best else { continue }
                    (best, isFound) = (cost, true)
                    choice = CardChoice(role: reach.role, visionLayers: vision, decoderLayers: decoder)
                }
            }
        }
        return isFound ? (best, choice) : nil
    }

    /// For each number of devices taken: the fewest vision layers that each state of single units and decoder layers
    /// must have, so that the other devices can take the rest; more than there are where they cannot.
    private func fewestVisionLayers() -> [[Int]] {
        let search = FrontierSearch(visionLayers: visionLayers, decoderLayers: decoderLayers)
        var frontier = search.start
        var result: [[Int]] = []
        for index in cards.indices.reversed() {
            frontier = search.added(reaches[index], isRequired: cards[index].isRequired, to: frontier)
            // What is left over is the mirror image of what is taken.
            result.append(frontier.reversed().map { $0 < 0 ? visionLayers + 1 : visionLayers - Int($0) })
        }
        return result.reversed()
    }

    /// The costs after one more device.
    private func added(_ index: Int, to table: [Int], fewest: [Int]) -> [Int] {
        let card = cards[index]
        let slope = card.cost[.visionLayer]
        // Relative to the cost of the vision layers so far, a window's minimum is a plain minimum.
        let relative = shifted(table, by: -slope)
        var next = relative
        if card.isRequired { for state in next.indices { next[state] = Self.unreachable } }
        let least = leastCosts(after: index)
        for singles in 0...CardRole.allSingles {
            let rows = singles * stateCount..<(singles + 1) * stateCount
            guard relative[rows].contains(where: { $0 < Self.unreachable / 2 }) else { continue }
            let minima = WindowMinima(relative[rows], rowLength: visionLayers + 1)
            for reach in reaches[index] where reach.role.singles & singles == 0 {
                add(reach, of: card, minima, into: &next, singles | reach.role.singles, fewest, least)
            }
        }
        return alive(shifted(next, by: slope), fewest, least)
    }

    private func add(
        _ reach: Reach, of card: SearchCard, _ minima: WindowMinima, into next: inout [Int], _ singles: Int,
        _ fewest: [Int], _ least: LeastCosts
    ) {
        let width = visionLayers + 1
        let ceiling = self.ceiling ?? Self.unreachable
        for decoder in reach.decoderLayers {
            let most = Int(reach.visionLayers[decoder])
            let cost = reach.cost + decoder * card.cost[.decoderLayer]
            for before in 0...decoderLayers - decoder {
                guard let reachable = minima.reachable[before] else { continue }
                let row = before + decoder
                let isRest = singles != CardRole.allSingles || row < decoderLayers
                let rest = least.rest(singles, decoder: decoderLayers - row) + (isRest ? least.card : 0)
                guard minima.lowest[before] + cost + rest <= ceiling else { continue }
                let needed = fewest[singles * (decoderLayers + 1) + row]
                let low = max(needed, reachable.lowerBound + reach.firstVision)
                let high = min(visionLayers, reachable.upperBound + most)
                guard low <= high else { continue }
                minima.lower(
                    &next, at: singles * stateCount + row * width, places: low...high, toRow: before,
                    first: reach.firstVision, window: most - reach.firstVision + 1, plus: cost)
            }
        }
    }

    /// Forgets the states from which there is no way to the end, or only ways that are too costly.
    private func alive(_ table: [Int], _ fewest: [Int], _ least: LeastCosts) -> [Int] {
        let width = visionLayers + 1
        let ceiling = self.ceiling ?? Self.unreachable
        var result = table
        for (row, needed) in fewest.enumerated() {
            let (singles, decoder) = (row / (decoderLayers + 1), row % (decoderLayers + 1))
            let rest = least.rest(singles, decoder: decoderLayers - decoder)
            let isRest = singles != CardRole.allSingles || decoder < decoderLayers
            for vision in 0..<width {
                let state = row * width + vision
                // Whatever is left takes one device more at least.
                let more = isRest || vision < visionLayers ? least.card : 0
                let end = more + result[state] + rest + (visionLayers - vision) * least.vision
                if vision < needed || end > ceiling { result[state] = Self.unreachable }
            }
        }
        return result
    }

    /// The least that what is left can cost on the devices after `index`: per layer, and by the single units taken.
    private func leastCosts(after index: Int) -> LeastCosts {
        let rest = cards[(index + 1)...]
        func least(_ kind: UnitKind) -> Int {
            rest.filter { $0.allowed.contains(kind) }.map { $0.cost[kind] }.min() ?? 0
        }
        let singles = CardRole.singleKinds.map(least)
        let sums = (0...CardRole.allSingles).map { taken in
            singles.indices.reduce(0) { $0 + (taken >> $1 & 1 == 0 ? singles[$1] : 0) }
        }
        return LeastCosts(
            card: rest.map(\.cardCost).min() ?? 0, vision: least(.visionLayer), decoder: least(.decoderLayer),
            singles: sums)
    }

    /// Lower bounds of what is left.
    private struct LeastCosts {
        let card: Int
        let vision: Int
        let decoder: Int
        /// By the single units that are taken.
        let singles: [Int]

        func rest(_ taken: Int, decoder layers: Int) -> Int { singles[taken] + layers * decoder }
    }

    /// Adds `slope` for each vision layer of a state.
    private func shifted(_ table: [Int], by slope: Int) -> [Int] {
        guard slope != 0 else { return table }
        let width = visionLayers + 1
        var result = table
        for row in 0..<table.count / width {
            for vision in 0..<width where result[row * width + vision] < Self.unreachable / 2 {
                result[row * width + vision] += vision * slope
            }
        }
        return result
    }
}
