/// A request with one choice of what is streamed, ready to be searched.
///
/// Devices stand in an order that does not depend on their numbers, so permuting them changes nothing but names.
struct SearchProblem {
    let request: PlanRequest
    let streaming: Streaming
    /// Devices' numbers in the order of the search.
    let devices: [Int]
    private let inputs: MemoryInputs
    private let table: MemoryTable
    private let base: [SearchCard]  // by place in `devices`, without limits

    /// Fractions are counted in these parts.
    static let fractionParts = 10_000_000_000

    init(_ request: PlanRequest, _ streaming: Streaming, devices: [Int]? = nil) {
        self.request = request
        self.streaming = streaming
        inputs = request.inputs(streaming)
        table = MemoryTable(request.memory, inputs)
        let ordered = (devices ?? request.eligibleDevices).sorted { left, right in
            Self.key(request, left).lexicographicallyPrecedes(Self.key(request, right))
        }
        self.devices = ordered
        let cost = CardCosts(inputs, request, among: ordered)
        base = ordered.map { cost.card($0) }
    }

    /// What orders the devices: the largest first, then the fastest, then the first.
    private static func key(_ request: PlanRequest, _ device: Int) -> [Int] {
        let profile = request.machine.devices[device]
        let fixed = profile.otherBytes + profile.margin + profile.contextBytes
        let flops = Int(clamping: Int64(min(profile.rates.flops, 1e18)))
        let bandwidth = Int(clamping: Int64(min(profile.rates.bandwidth, 1e18)))
        return [-request.budget(of: device), fixed, -bandwidth, -flops, device]
    }

    private func model(hops: Bool) -> SearchModel {
        SearchModel(
            visionLayers: request.model.visionLayerCount, decoderLayers: request.model.decoderLayerCount,
            table: table, hops: hops)
    }

    /// The devices with their limits at a threshold of the objective (nil: only what the budgets allow).
    ///
    /// - Parameter extra: bytes that a device has more than its budget, by its number.
    private func cards(at threshold: Int?, extra: (Int) -> Int = { _ in 0 }, headroom: Int = 0) -> [SearchCard] {
        zip(devices, base).map { device, card in
            var card = card
            let budget = request.budget(of: device) + extra(device)
            card.memoryLimit = budget - headroom
            guard let threshold else { return card }
            if request.objective.limitsMemory {
                let part = Int128(threshold) * Int128(budget) / Int128(Self.fractionParts)
                card.memoryLimit = min(card.memoryLimit, Int(part))
            } else {
                card.loadLimit = threshold
            }
            return card
        }
    }

    /// Whether anything fits.
    func isFeasible(extra: (Int) -> Int = { _ in 0 }) -> Bool {
        let cards = cards(at: nil, extra: extra)
        return isFeasible(cards, hops: true) || singles.contains { isFeasible([cards[$0]], hops: false) }
    }

    private func isFeasible(_ cards: [SearchCard], hops: Bool, roles: [[CardRole]]? = nil) -> Bool {
        let model = model(hops: hops)
        let reaches = cards.indices.map { model.reaches(cards[$0], roles: roles?[$0] ?? CardRole.all) }
        let search = FrontierSearch(visionLayers: model.visionLayers, decoderLayers: model.decoderLayers)
        return search.isFeasible(reaches, required: cards.map(\.isRequired))
    }

    /// Places in `devices` that may hold everything alone: without hops, which need buffers, less may be needed.
    private var singles: [Int] {
        let required = devices.indices.filter { base[$0].isRequired }
        return required.count > 1 ? [] : devices.indices.filter { required.isEmpty || required == [$0] }
    }

    /// The best placement, or nil when none fits.
    func solution() -> SearchSolution? {
        // One device alone never hops, so it needs no buffers for that.
        var best = devices.count > 1 ? solution(Array(devices.indices), hops: true) : nil
        for place in singles {
            guard let alone = solution([place], hops: false) else { continue }
            if best.map({ alone.isBetter(than: $0) }) ?? true { best = alone }
        }
        return best
    }

    private func solution(_ places: [Int], hops: Bool) -> SearchSolution? {
        let model = model(hops: hops)
        let all = cards(at: nil)
        guard isFeasible(places.map { all[$0] }, hops: hops) else { return nil }
        let threshold = request.objective.isBottleneck ? threshold(places, hops: hops) : nil
        let limited = cards(at: threshold)
        guard let found = minimum(places.map { limited[$0] }, model) else { return nil }
        var choices = found.choices
        if request.objective.isBottleneck {
            choices = roomier(choices, places, threshold, model) ?? choices
        }
        return SearchSolution(
            choices: zip(places, choices).compactMap { place, choice in
                choice.map { SearchSolution.Entry(device: devices[place], choice: $0) }
            },
            value: threshold ?? found.cost >> CardCosts.tieBits, cost: found.cost,
            headroom: headroom(choices, places, model))
    }

    private func minimum(_ cards: [SearchCard], _ model: SearchModel, roles: [[CardRole]]? = nil) -> (
        cost: Int, choices: [CardChoice?]
    )? {
        let reaches = cards.indices.map { model.reaches(cards[$0], roles: roles?[$0] ?? CardRole.all) }
        return AdditiveSearch(
            visionLayers: model.visionLayers, decoderLayers: model.decoderLayers, cards: cards, reaches: reaches
        ).minimum()
    }

    /// The smallest threshold at which a placement exists; one exists without any.
    private func threshold(_ places: [Int], hops: Bool) -> Int {
        var (low, high) = (0, request.objective.limitsMemory ? Self.fractionParts : largestLoad)
        low = min(high, fluidBound(places)) - 1  // not feasible
        while high - low > 1 {
            let middle = low + (high - low) / 2
            let limited = cards(at: middle)
            if isFeasible(places.map { limited[$0] }, hops: hops) { high = middle } else { low = middle }
        }
        return high
    }

    /// Everything on the slowest device.
    private var largestLoad: Int { devices.indices.map(wholeLoad).max() ?? 0 }

    private func wholeLoad(_ place: Int) -> Int {
        UnitKind.allCases.reduce(0) { $0 + request.model.count(of: $1) * base[place].load[$1] }
    }

    /// A threshold that no placement can be below: everything spread over the devices as if it were liquid.
    func fluidBound(_ places: [Int]) -> Int {
        if request.objective.limitsMemory {
            let needed = UnitKind.allCases.reduce(0) { $0 + request.model.count(of: $1) * table.weights[$1] }
            let cache = request.model.decoderLayerCount * table.cachePerLayer
            let budgets = places.reduce(0) { $0 + request.budget(of: devices[$1]) }
            return budgets > 0 ? Int(Int128(needed + cache) * Int128(Self.fractionParts) / Int128(budgets)) : 0
        }
        // For any weights of the devices that sum to 1, the busiest device's time is at least the weighted sum of all
        // devices' times, and that is least with every unit where its weighted time is least.
        let rates = places.map { 1 / Double(max(1, wholeLoad($0))) }
        let sum = rates.reduce(0, +)
        let least = UnitKind.allCases.reduce(0.0) { total, kind in
            let each = zip(places, rates).map { $1 / sum * Double(base[$0].load[kind]) }.min() ?? 0
            return total + Double(request.model.count(of: kind)) * each
        }
        return max(0, Int(least * (1 - 1e-9)) - 1)
    }

    /// The fluid bound over all devices.
    var fluidBound: Int { fluidBound(Array(devices.indices)) }

    /// The same roles with the layers moved so that the fullest device has the most room.
    private func roomier(
        _ choices: [CardChoice?], _ places: [Int], _ threshold: Int?, _ model: SearchModel
    ) -> [CardChoice?]? {
        let used = choices.indices.filter { choices[$0] != nil }
        let roles = used.map { place in choices[place].map { [$0.role] } ?? [] }
        func limited(_ headroom: Int) -> [SearchCard] {
            let all = cards(at: threshold, headroom: headroom)
            return used.map { all[places[$0]] }
        }
        var (low, high) = (headroom(choices, places, model), (devices.map { request.budget(of: $0) }.max() ?? 0) + 1)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if isFeasible(limited(middle), hops: model.hops, roles: roles) { low = middle } else { high = middle }
        }
        guard let found = minimum(limited(low), model, roles: roles) else { return nil }
        var result = [CardChoice?](repeating: nil, count: choices.count)
        for (place, choice) in zip(used, found.choices) { result[place] = choice }
        return result
    }

    private func headroom(_ choices: [CardChoice?], _ places: [Int], _ model: SearchModel) -> Int {
        zip(places, choices).compactMap { place, choice in
            choice.map { request.budget(of: devices[place]) - base[place].fixedBytes - model.byteCount($0) }
        }.min() ?? 0
    }
}

/// What a search found.
struct SearchSolution: Sendable {
    /// A used device and what it takes.
    struct Entry: Sendable {
        let device: Int
        let choice: CardChoice
    }

    let choices: [Entry]
    /// The objective's value in the search's units.
    let value: Int
    /// The sum of costs, ties included.
    let cost: Int
    /// The smallest headroom.
    let headroom: Int

    func isBetter(than other: SearchSolution) -> Bool {
        if value != other.value { return value < other.value }
        if cost != other.cost { return cost < other.cost }
        return headroom > other.headroom
    }
}

extension Objective {
    /// Whether the value is the largest of the devices', not their sum.
    var isBottleneck: Bool { self != .latency && self != .fewest }

    /// Whether the largest is one of memory.
    var limitsMemory: Bool { self == .balanced || self == .context }
}
