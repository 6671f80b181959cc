package import FacetJSON

extension JSONValue {
    /// Reads JSON that comes with a prompt or a vocabulary, nested up to 128 levels.
    ///
    /// Half a surrogate pair, which Python writes without complaint, becomes U+FFFD.
    /// - Parameter source: what the bytes are, for errors.
    /// - Throws: `TokenizerError.invalidJSON`.
    package init(userText bytes: [UInt8], source: String) throws(TokenizerError) {
        do {
            try self.init(parsing: bytes, limits: Limits(depth: 128, replacesLoneSurrogates: true))
        } catch { throw .invalidJSON(source: source, error) }
    }
}

// MARK: - Writing

extension JSONValue {
    /// The value as Python's `json.dumps(value, ensure_ascii=False, indent=4)` writes it.
    ///
    /// The chat template of the published tokenizer puts tool descriptions into the prompt in exactly this form.
    package func indented() -> String {
        var text = ""
        write(to: &text, depth: 0)
        return text
    }

    private func write(to text: inout String, depth: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let number): text += Self.pythonNumber(number.text)
        case .string(let string): text += Self.quoted(string)
        case .array(let elements):
            Self.writeItems(elements, "[", "]", to: &text, depth) { $0.write(to: &$1, depth: depth + 1) }
        case .object(let object):
            Self.writeItems(object.members, "{", "}", to: &text, depth) { member, text in
                text += Self.quoted(member.key) + ": "
                member.value.write(to: &text, depth: depth + 1)
            }
        }
    }

    private static func writeItems<Item>(
        _ items: [Item], _ open: String, _ close: String, to text: inout String, _ depth: Int,
        _ write: (Item, inout String) -> Void
    ) {
        text += open
        for (index, item) in items.enumerated() {
            text += (index == 0 ? "\n" : ",\n") + String(repeating: "    ", count: depth + 1)
            write(item, &text)
        }
        if !items.isEmpty { text += "\n" + String(repeating: "    ", count: depth) }
        text += close
    }

    /// A number after a round trip through Python: integers keep their digits, others get the shortest form.
    private static func pythonNumber(_ text: String) -> String {
        guard text.contains(where: { ".eE".contains($0) }), let value = Double(text) else {
            return text == "-0" ? "0" : text
        }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        let shortest = "\(value)"
        guard value.magnitude >= 1e16 && !shortest.contains("e") else { return shortest }
        // Python turns to exponents at 10¹⁶, Swift at 2⁵⁴: write the digits between the two with one.
        var digits = String(shortest.dropLast(2))  // ".0"
        let sign = digits.hasPrefix("-") ? String(digits.removeFirst()) : ""
        let exponent = digits.count - 1
        while digits.count > 1 && digits.hasSuffix("0") { digits.removeLast() }
        let fraction = digits.dropFirst()
        return sign + digits.prefix(1) + (fraction.isEmpty ? "" : "." + fraction) + "e+\(exponent)"
    }
}
