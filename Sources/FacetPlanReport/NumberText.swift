/// Numbers as reports write them; the same on every machine and in every language setting.
enum NumberText {
    /// A number with so many digits behind the point, rounded to nearest.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return value.isNaN ? "–" : value < 0 ? "-∞" : "∞" }
        let factor = (0..<digits).reduce(1.0) { product, _ in product * 10 }
        let scaled = (abs(value) * factor).rounded()
        let whole = Int(scaled / factor)
        let rest = Int(scaled - Double(whole) * factor)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let tail = "\(rest)"
        return "\(sign)\(whole)." + String(repeating: "0", count: max(0, digits - tail.count)) + tail
    }

    /// About three digits: `57.4`, `105`, `0.52`.
    static func short(_ value: Double) -> String {
        let magnitude = abs(value)
        return fixed(value, magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2)
    }

    /// A duration with its unit: `17.4 ms`, `2.10 s`, `12 µs`.
    static func seconds(_ value: Double) -> String {
        if value >= 0.9995 { return short(value) + " s" }
        if value >= 0.000_999_5 { return short(value * 1e3) + " ms" }
        return short(value * 1e6) + " µs"
    }

    /// A size in GiB with two digits, without the unit.
    static func gibibytes(_ byteCount: Int) -> String { fixed(Double(byteCount) / Double(1 << 30), 2) }
}
