/// A JSON value that keeps the order of its keys and the spelling of its numbers.
///
/// Tool descriptions become part of the prompt, so their order is part of the answer; Foundation's parser loses it.
package enum OrderedJSON: Sendable, Hashable {
    /// The word `null`.
    case null
    /// The word `true` or `false`.
    case bool(Bool)
    /// A number as it was written.
    case number(String)
    /// A string, its escapes resolved.
    case string(String)
    /// Elements in their order.
    case array([OrderedJSON])
    /// Keys and values in their order; no key twice.
    case object([Member])

    /// One key of an object with its value.
    package struct Member: Sendable, Hashable {
        /// The key, its escapes resolved.
        package var key: String
        /// The value.
        package var value: OrderedJSON
    }

    /// The value of a key, or nil when there is none or this is no object.
    package subscript(key: String) -> OrderedJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The text of a string, else nil.
    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The elements of an array, else nil.
    package var array: [OrderedJSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The keys and values of an object in their order, else nil.
    package var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The value of a number written without fraction or exponent that fits, else nil.
    package var integer: Int? {
        if case .number(let text) = self { Int(text) } else { nil }
    }

    /// The truth value, else nil.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// What kind of value this is, for messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): text
        case .string(let text): "\"\(text.prefix(40))\""
        case .array: "an array"
        case .object: "an object"
        }
    }
}

// MARK: - Writing

extension OrderedJSON {
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
        case .number(let number): text += Self.pythonNumber(number)
        case .string(let string): Self.write(string, to: &text)
        case .array(let elements):
            Self.writeItems(elements, "[", "]", to: &text, depth) { $0.write(to: &$1, depth: depth + 1) }
        case .object(let members):
            Self.writeItems(members, "{", "}", to: &text, depth) { member, text in
                Self.write(member.key, to: &text)
                text += ": "
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

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case "\0"..<" ":
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
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
