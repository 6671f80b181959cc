/// A card, or an instance of one, that CUDA shows to this process.
struct VisibleCard: Sendable, Hashable {
    /// As CUDA names it.
    let uuid: String
    /// What the report calls it.
    let label: String
    /// Its place in the list of cards; nil for one that NVML does not tell of, and for an instance.
    let place: Int?

    private init(_ uuid: String, _ cards: [CardFacts]) {
        self.uuid = uuid
        place = cards.firstIndex { Self.isSame($0.uuid, uuid) }
        let instances = cards.enumerated().lazy.compactMap { place, card in
            card.instances?.first { Self.isSame($0.uuid, uuid) }.map {
                "card \(place), instance \($0.gpuInstance):\($0.computeInstance)"
            }
        }
        label = place.map { "card \($0)" } ?? instances.first ?? uuid
    }

    /// Both places; nil where one of them is an instance, which reaches no other.
    func places(with other: VisibleCard) -> [Int]? {
        guard let place, let otherPlace = other.place else { return nil }
        return [place, otherPlace]
    }

    /// Those that CUDA shows, in its order; none when it does not start.
    static func all(_ facts: Facts) -> [VisibleCard] {
        (facts.gpu?.visibleCards ?? []).map { VisibleCard($0, facts.gpu?.cards ?? []) }
    }

    /// CUDA gives the bytes only, so that the word in front is the same for cards and instances.
    private static func isSame(_ name: String?, _ other: String) -> Bool {
        func bytes(_ name: String) -> Substring { name.drop { $0 != "-" } }
        return name.map { bytes($0) == bytes(other) } ?? false
    }
}
