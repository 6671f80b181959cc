import FacetPlacement

/// Facts in the words of a report.
enum FactText {
    /// A size.
    static func bytes(_ count: Int) -> String { ByteSize.text(count) }

    /// A number without needless digits: `15`, `2.5`.
    static func number(_ value: Double) -> String {
        guard abs(value) < 1e9 else { return "\(value)" }
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }

    /// A small time: `85.5 µs`, `1.2 ms`.
    static func time(_ seconds: Double) -> String {
        seconds < 1e-3 ? "\(number(seconds * 1e6)) µs" : "\(number(seconds * 1e3)) ms"
    }

    /// A compute capability: `8.9`.
    static func capability(_ value: Int) -> String { "\(value / 10).\(value % 10)" }

    /// A number with its noun: `1 card`, `2 cards`.
    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// The first few of a list, and how many more there are.
    static func list(_ items: [String], limit: Int = 6) -> String {
        let rest = items.count > limit ? " and \(items.count - limit) more" : ""
        return items.prefix(limit).joined(separator: ", ") + rest
    }
}

/// Versions as numbers, compared number by number.
struct Version: Comparable {
    private let numbers: [Int]

    /// Reads `550.54.14`; nil when it does not begin with a number.
    init?(_ text: String) {
        numbers = text.split(separator: ".").map { Int($0.prefix { ("0"..."9").contains($0) }) }
            .prefix { $0 != nil }.compactMap(\.self)
        if numbers.isEmpty { return nil }
    }

    /// The first number.
    var major: Int { numbers[0] }

    static func < (left: Version, right: Version) -> Bool { left.numbers.lexicographicallyPrecedes(right.numbers) }
}
