/// Sizes of memory as people write and read them.
public enum ByteSize {
    /// What a size looks like, for errors.
    public static let form = "a size such as 20GiB, 22GB, 8192MiB or 24g (g is GiB)"

    /// No memory that is planned for is larger; sums of a few such sizes cannot overflow.
    public static let limit = 1 << 50

    /// Reads a size: a decimal number and a unit, in any case, blanks between them allowed.
    ///
    /// `KiB`, `MiB`, `GiB`, `TiB` and the bare letters `k`, `m`, `g`, `t` are powers of 1024; `kB`, `MB`, `GB`, `TB`
    /// are powers of 1000. A number without a unit counts bytes, and must then be at least 1 MiB: `20` is a
    /// forgotten unit rather than 20 bytes. A fraction is rounded down to whole bytes.
    ///
    /// - Parameters:
    ///   - text: the size.
    ///   - input: what the size was written for, as errors call it.
    ///   - entry: the entry that holds the size, as errors quote it; the size itself without it.
    /// - Throws: `.malformed`, `.outOfRange` beyond `limit` and for a size of nothing.
    public static func parse(
        _ text: String, input: String, entry: String? = nil
    ) throws(PlacementInputError) -> Int {
        let entry = entry ?? text
        let malformed = PlacementInputError.malformed(input: input, entry: entry, expected: form)
        let trimmed = EntryText.trimmed(text)
        let digits = trimmed.prefix { $0 == "." || ("0"..."9" ~= $0 && $0.utf8.count == 1) }
        let unitName = EntryText.trimmed(trimmed[digits.endIndex...]).lowercased()
        guard let unit = units[unitName] else { throw malformed }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { throw malformed }
        let outOfRange = PlacementInputError.outOfRange(
            input: input, entry: entry, expected: "more than nothing and at most 1024 TiB")
        guard let whole = Int(parts[0]) else { throw outOfRange }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow else { throw outOfRange }
        let fraction = parts.count == 2 ? Self.fraction(parts[1], of: unit) : 0
        let (sum, sumOverflow) = product.addingReportingOverflow(fraction)
        guard !sumOverflow, (1...limit).contains(sum) else { throw outOfRange }
        guard !unitName.isEmpty || sum >= 1 << 20 else {
            throw .malformed(input: input, entry: entry, expected: "a unit behind the number, such as \(whole)GiB")
        }
        return sum
    }

    /// A size in GiB or MiB with two digits behind the point, for reports: `23.50 GiB`.
    public static func text(_ byteCount: Int) -> String {
        let isNegative = byteCount < 0
        let magnitude = Int(clamping: byteCount.magnitude)
        let (unit, name) = magnitude >= 1 << 30 ? (1 << 30, "GiB") : (1 << 20, "MiB")
        return (isNegative ? "-" : "") + hundredths(magnitude, of: unit) + " " + name
    }

    /// The size as `parse` reads it back exactly, in the largest power of 1024 that divides it.
    public static func exactText(_ byteCount: Int) -> String {
        for (unit, name) in [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        where byteCount > 0 && byteCount % unit == 0 { return "\(byteCount / unit)\(name)" }
        return "\(byteCount)B"
    }

    /// Whether a word in lower case is a unit of memory.
    static func isUnit(_ word: String) -> Bool { units[word] != nil }

    /// Digits behind the point as bytes, rounded down; digits beyond the ninth are less than a byte of most units.
    private static func fraction(_ digits: Substring, of unit: Int) -> Int {
        var result = 0.0
        for digit in digits.prefix(18).reversed() {
            result = (result + Double(digit.wholeNumberValue ?? 0)) / 10
        }
        return min(Int(result * Double(unit)), unit - 1)
    }

    private static func hundredths(_ byteCount: Int, of unit: Int) -> String {
        let whole = byteCount / unit
        let rest = (byteCount % unit * 100 + unit / 2) / unit
        let carried = rest == 100 ? (whole + 1, 0) : (whole, rest)
        return "\(carried.0)." + (carried.1 < 10 ? "0" : "") + "\(carried.1)"
    }

    /// Factors by unit in lower case.
    private static let units: [String: Int] = [
        "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20, "mib": 1 << 20, "mb": 1_000_000,
        "g": 1 << 30, "gib": 1 << 30, "gb": 1_000_000_000, "t": 1 << 40, "tib": 1 << 40, "tb": 1_000_000_000_000,
    ]
}
