/// Cards that need not exist: the value of `--cards`, such as `2x RTX 4090`, `RTX 3090, 2x T4` or `24GiB,12GiB`.
public struct CardList: Sendable, Hashable {
    /// One card.
    public enum Card: Sendable, Hashable {
        /// A card that is known by name, spelled as in the list of known cards.
        case named(String)
        /// A card of which only the memory is known, bytes.
        case memory(Int)
    }

    /// The cards in order, repetitions written out; never empty.
    public let cards: [Card]

    /// Reads a list against the names of known cards.
    ///
    /// Names are compared by letters and digits, without the maker's (`NVIDIA`, `GeForce`, `Tesla`): `rtx4090`,
    /// `4090` and `NVIDIA GeForce RTX 4090` are one card. A part of a name will do when it fits one card only.
    /// - Throws: `.malformed`, `.unknown`, `.ambiguous`, `.outOfRange`.
    public init(parsing text: String, known names: [String], input: String = "--cards") throws(PlacementInputError) {
        var cards: [Card] = []
        for entry in EntryText.entries(of: text) {
            let (count, name) = try Self.repetition(entry, input)
            let card = try Self.card(name, entry, names, input)
            guard cards.count + count <= Self.cardLimit else {
                throw .outOfRange(input: input, entry: entry, expected: "at most \(Self.cardLimit) cards together")
            }
            cards += Array(repeating: card, count: count)
        }
        self.cards = cards
    }

    /// No what-if goes beyond so many cards.
    public static let cardLimit = 64

    /// `2x NAME`, `2 × NAME`, `2*NAME`, or NAME alone.
    private static func repetition(_ entry: String, _ input: String) throws(PlacementInputError) -> (Int, String) {
        let digits = entry.prefix { "0"..."9" ~= $0 && $0.utf8.count == 1 }
        let rest = EntryText.trimmed(entry[digits.endIndex...])
        guard !digits.isEmpty, let sign = rest.first, "xX×*".contains(sign) else { return (1, entry) }
        guard let count = Int(digits), (1...cardLimit).contains(count) else {
            throw .outOfRange(input: input, entry: entry, expected: "a count from 1 to \(cardLimit)")
        }
        return (count, EntryText.trimmed(rest.dropFirst()))
    }

    private static func card(
        _ name: String, _ entry: String, _ names: [String], _ input: String
    ) throws(PlacementInputError) -> Card {
        if isSize(name) { return .memory(try ByteSize.parse(name, input: input, entry: entry)) }
        let wanted = key(name)
        guard !wanted.isEmpty else {
            throw .malformed(
                input: input, entry: entry, expected: "a card or a size, such as 2x RTX 4090 or 24GiB")
        }
        if let exact = names.first(where: { key($0) == wanted }) { return .named(exact) }
        let partial = names.filter { key($0).contains(wanted) }
        if partial.count == 1 { return .named(partial[0]) }
        if partial.count > 1 { throw .ambiguous(input: input, name: name, candidates: partial) }
        throw .unknown(
            input: input, name: name, expected: "one of \(names.joined(separator: ", ")), or a size such as 24GiB",
            nearest: nearest(wanted, names))
    }

    /// Whether the text is a number with a unit of memory, and so no name.
    private static func isSize(_ name: String) -> Bool {
        guard name.first?.isNumber == true else { return false }
        let unit = EntryText.trimmed(name.drop { $0.isNumber || $0 == "." }).lowercased()
        return !unit.isEmpty && ByteSize.isUnit(unit)
    }

    private static func key(_ name: String) -> String {
        let makers = ["nvidia", "geforce", "tesla"]
        let words = name.lowercased().split { !($0.isLetter || $0.isNumber) }
        return words.filter { !makers.contains(String($0)) }.joined()
    }

    private static func nearest(_ wanted: String, _ names: [String]) -> String? {
        let keys = names.map(key)
        guard let best = EditDistance.nearest(to: wanted, in: keys) else { return nil }
        return keys.firstIndex(of: best).map { names[$0] }
    }
}
