extension OrderedJSON {
    /// Parses UTF-8 JSON (RFC 8259), refusing duplicate keys and nesting deeper than 128.
    ///
    /// The escape of half a surrogate pair becomes U+FFFD. `source` says what the bytes are, for the error message.
    /// - Throws: `TokenizerError.invalidJSON`.
    package init(_ bytes: [UInt8], source: String) throws(TokenizerError) {
        var parser = OrderedJSONParser(bytes: bytes, source: source)
        self = try parser.parseDocument()
    }
}

/// A recursive-descent parser over bytes.
private struct OrderedJSONParser {
    let bytes: [UInt8]
    let source: String
    private var position = 0

    init(bytes: [UInt8], source: String) {
        self.bytes = bytes
        self.source = source
    }

    mutating func parseDocument() throws(TokenizerError) -> OrderedJSON {
        let value = try parseValue(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("something follows the value") }
        return value
    }

    private mutating func parseValue(depth: Int) throws(TokenizerError) -> OrderedJSON {
        guard depth < 128 else { throw failure("nested deeper than 128 levels") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return .object(try parseObject(depth: depth))
        case UInt8(ascii: "["): return .array(try parseArray(depth: depth))
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case nil: throw failure("the text ends where a value should stand")
        default: return .number(try parseNumber())
        }
    }

    private mutating func parseObject(depth: Int) throws(TokenizerError) -> [OrderedJSON.Member] {
        var members: [OrderedJSON.Member] = []
        var keys: Set<String> = []
        position += 1
        skipSpace()
        if take("}") { return members }
        repeat {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let keyPosition = position
            let key = try parseString()
            guard keys.insert(key).inserted else { throw failure("repeated key \"\(key)\"", at: keyPosition) }
            skipSpace()
            guard take(":") else { throw failure("expected a colon after a key") }
            members.append(OrderedJSON.Member(key: key, value: try parseValue(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw failure("expected a comma or a closing brace") }
        return members
    }

    private mutating func parseArray(depth: Int) throws(TokenizerError) -> [OrderedJSON] {
        var elements: [OrderedJSON] = []
        position += 1
        skipSpace()
        if take("]") { return elements }
        repeat {
            elements.append(try parseValue(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw failure("expected a comma or a closing bracket") }
        return elements
    }

    private mutating func parseWord(_ word: String, _ value: OrderedJSON) throws(TokenizerError) -> OrderedJSON {
        guard bytes[position...].starts(with: word.utf8) else { throw failure("expected \(word)") }
        position += word.utf8.count
        return value
    }

    private mutating func parseNumber() throws(TokenizerError) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try takeDigits("expected a value") }
        if take(".") { try takeDigits("expected a digit after the point") }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try takeDigits("expected a digit in the exponent")
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func takeDigits(_ complaint: String) throws(TokenizerError) {
        let start = position
        while let byte = peek, byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") { position += 1 }
        if position == start { throw failure(complaint) }
    }

    // MARK: Strings

    private mutating func parseString() throws(TokenizerError) -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string is not UTF-8", at: start)
                }
                return text
            case UInt8(ascii: "\\"):
                position += 1
                try parseEscape(appendingTo: &content)
            case 0..<0x20:
                throw failure("a control character stands unescaped in a string")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw failure("a string has no end", at: start)
    }

    private mutating func parseEscape(appendingTo content: inout [UInt8]) throws(TokenizerError) {
        guard let byte = peek else { throw failure("a string has no end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "u"): content.append(contentsOf: Array(String(try parseUnicodeEscape()).utf8))
        default: throw failure("unknown escape in a string", at: position - 1)
        }
    }

    /// The scalar of `\uXXXX`, or of two of them that form a surrogate pair; the position is behind the `u`.
    private mutating func parseUnicodeEscape() throws(TokenizerError) -> Unicode.Scalar {
        let first = try parseHex()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let before = position
        if first < 0xDC00 && take("\\") && take("u") {
            let second = try parseHex()
            if second >= 0xDC00 && second < 0xE000 {
                let value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
                return Unicode.Scalar(value) ?? "\u{FFFD}"
            }
        }
        position = before
        return "\u{FFFD}"
    }

    private mutating func parseHex() throws(TokenizerError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, byte == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D { position += 1 }
    }

    private func failure(_ reason: String, at offset: Int? = nil) -> TokenizerError {
        .invalidJSON(source: source, offset: offset ?? position, reason: reason)
    }
}
