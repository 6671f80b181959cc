/// A JSON value as written: numbers keep their text and object members their order.
///
/// Nothing is coerced: `1` is not `true`, `8.0` is not the integer 8, and no key occurs twice.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Limits that a document must keep to, so that hostile input cannot exhaust memory or stack.
    package struct Limits: Sendable {
        /// Most bytes a document may have.
        package var byteCount: Int
        /// Most values of any kind; each takes up to about 200 bytes of memory.
        package var valueCount: Int
        /// Most arrays and objects that may stand inside one another.
        package var depth: Int
        /// Whether the escape of half a surrogate pair becomes U+FFFD instead of an error.
        package var replacesLoneSurrogates: Bool

        /// Makes limits; the defaults suit configuration files, indexes and headers.
        package init(
            byteCount: Int = 16 << 20, valueCount: Int = 1 << 19, depth: Int = 64, replacesLoneSurrogates: Bool = false
        ) {
            self.byteCount = byteCount
            self.valueCount = valueCount
            self.depth = depth
            self.replacesLoneSurrogates = replacesLoneSurrogates
        }
    }

    /// Reads one JSON document (RFC 8259) that fills `bytes`, which must be UTF-8 without a byte order mark.
    ///
    /// - Throws: the first offence, with the offset of its byte.
    package init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(JSONError) {
        var parser = try JSONParser(bytes, limits: limits)
        self = try parser.parseDocument()
    }
}

extension JSONValue {
    /// The text of a string; nil for any other value.
    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The truth value of `true` or `false`; nil for any other value.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value of a number written without fraction and exponent, when an `Int` can hold it.
    package var integer: Int? {
        if case .number(let number) = self { number.integer } else { nil }
    }

    /// The nearest double to a number; nil for any other value and for numbers beyond the doubles.
    package var double: Double? {
        if case .number(let number) = self { number.double } else { nil }
    }

    /// The elements of an array; nil for any other value.
    package var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members of an object; nil for any other value.
    package var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// Whether the value is `null`.
    package var isNull: Bool { self == .null }

    /// The member `key` of an object; nil when the value is no object or has no such member.
    package subscript(key: String) -> JSONValue? { object?[key] }

    /// What kind of value this is, in the words of an error message.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The value in the words of an error message: its text when it is short, else what kind it is.
    package var summary: String {
        switch self {
        case .array, .object: kind
        case .string(let text): "\"\(text.prefix(40))\""
        default: String(text.prefix(40))
        }
    }

    /// The value as compact JSON text, members in order.
    package var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let number): number.text
        case .string(let string): Self.quoted(string)
        case .array(let elements): "[" + elements.map(\.text).joined(separator: ",") + "]"
        case .object(let object):
            "{" + object.members.map { Self.quoted($0.key) + ":" + $0.value.text }.joined(separator: ",") + "}"
        }
    }

    /// `string` as a JSON string literal, quotes included, with the escapes that Python writes.
    package static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// A JSON number, kept as the text that was read so that no digit is lost.
package struct JSONNumber: Sendable, Hashable {
    /// The number as written; follows the grammar of RFC 8259.
    package let text: String

    /// Wraps text that the parser has found to be a number.
    init(checked text: String) { self.text = text }

    /// Makes a number from an integer.
    package init(_ value: Int) { text = String(value) }

    /// The value when it is written without fraction and exponent and fits an `Int`.
    package var integer: Int? { Int(text) }

    /// The nearest double; nil when the number is beyond the finite doubles.
    package var double: Double? {
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }
}

/// The members of a JSON object in the order written, each key once.
///
/// Keys are compared as Swift strings, so two canonically equivalent spellings count as the same key.
package struct JSONObject: Sendable, Hashable {
    /// One key and its value.
    package struct Member: Sendable, Hashable {
        /// The key, unescaped.
        package let key: String
        /// The value.
        package let value: JSONValue
    }

    /// All members, in order.
    package private(set) var members: [Member] = []

    /// Where each key stands in `members`; left empty while a linear search is quicker than hashing.
    private var places: [String: Int] = [:]

    /// Makes an object without members.
    package init() {}

    /// The value of `key`, if there is one.
    package subscript(key: String) -> JSONValue? {
        place(of: key).map { members[$0].value }
    }

    /// Adds a member at the end.
    ///
    /// - Returns: false, with nothing changed, when the object has the key already.
    package mutating func append(_ key: String, _ value: JSONValue) -> Bool {
        if place(of: key) != nil { return false }
        members.append(Member(key: key, value: value))
        if members.count == Self.linearCount + 1 {
            places = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.key, $0) })
        } else if members.count > Self.linearCount {
            places[key] = members.count - 1
        }
        return true
    }

    private static let linearCount = 8

    private func place(of key: String) -> Int? {
        if members.count > Self.linearCount { return places[key] }
        return members.firstIndex { $0.key == key }
    }
}
