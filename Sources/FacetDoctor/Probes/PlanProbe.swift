import FacetJSON
import FacetModel
import FacetPlacement
import FacetPlanReport

/// Plans a model over the cards that were found, as `facet plan` does.
struct PlanProbe {
    private let configuration: GLM4VConfiguration
    private let facts: Facts

    init(_ configuration: GLM4VConfiguration, _ facts: Facts) {
        self.configuration = configuration
        self.facts = facts
    }

    /// Whether the model fits the cards that are visible; nil when there are none whose memory is known.
    func plan() throws -> CardPlanFacts? {
        let cards = visibleCards()
        guard !cards.isEmpty else { return nil }
        let file = try MachineFile(parsing: Array(document(cards).text.utf8), input: "the cards")
        let machine = try PlanMachine(file, PlanMachine.Assumptions(), input: "the cards")
        let request = PlanRequest(
            model: try configuration.modelDescription(), precision: try configuration.storedPrecision(),
            workload: Workload(), machine: machine.machine)
        do throws(PlacementError) {
            let plan = try Planner.plan(request)
            return CardPlanFacts(fits: true, summary: Self.summary(plan, machine.names))
        } catch {
            return CardPlanFacts(fits: false, summary: error.description)
        }
    }

    /// The cards in CUDA's order that have a known size.
    private func visibleCards() -> [(place: Int, card: CardFacts)] {
        let cards = facts.gpu?.cards ?? []
        return (Visibility(facts).devices ?? []).compactMap { device in
            guard cards.indices.contains(device.card) else { return nil }
            var card = cards[device.card]
            if let instance = device.instance, let part = card.instances?[instance] {
                (card.totalBytes, card.freeBytes) = (part.totalBytes, nil)
            }
            return card.totalBytes == nil ? nil : (device.card, card)
        }
    }

    /// The cards as a machine file describes them.
    private func document(_ cards: [(place: Int, card: CardFacts)]) -> JSONValue {
        let entries = cards.map { _, card in
            JSONValue.members([
                ("name", card.name.map(JSONValue.string)), ("uuid", card.uuid.map(JSONValue.string)),
                ("pci_id", card.address.map(JSONValue.string)), ("total_bytes", card.totalBytes.map(JSONValue.count)),
                ("free_bytes", card.freeBytes.map(JSONValue.count)),
            ])
        }
        var links: [JSONValue] = []
        for peer in facts.gpu?.peers ?? [] {
            let ends = [peer.from, peer.to].compactMap { end in cards.firstIndex { $0.place == end } }
            guard let rate = peer.bytesPerSecond, rate > 0, ends.count == 2, ends[0] < ends[1] else { continue }
            links.append(
                .members([
                    ("between", .array(ends.map(JSONValue.count))), ("gb_s", .real(rate / 1e9)),
                    ("latency_us", peer.latencySeconds.map { .real($0 * 1e6) }),
                ]))
        }
        return .members([
            ("cards", .array(entries)), ("links", .array(links)),
            ("cpu_free_bytes", facts.host?.availableBytes.map(JSONValue.count)),
        ])
    }

    private static func summary(_ plan: Plan, _ names: [String]) -> String {
        let parts = plan.devices.filter(\.isUsed).map { device in
            "\(names[device.index]) \(ByteSize.text(device.terms.total)) of \(ByteSize.text(device.budget))"
        }
        return parts.joined(separator: ", ")
    }
}

extension JSONValue {
    /// A whole number.
    fileprivate static func count(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }

    /// Any number, with the digits that Swift prints.
    fileprivate static func real(_ value: Double) -> JSONValue {
        (try? JSONValue(parsing: Array("\(value)".utf8))) ?? .null
    }

    /// An object without the members that have no value.
    fileprivate static func members(_ members: [(String, JSONValue?)]) -> JSONValue {
        var object = JSONObject()
        for (key, value) in members {
            if let value { _ = object.append(key, value) }
        }
        return .object(object)
    }
}
