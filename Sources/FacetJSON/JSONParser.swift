/// Reads one JSON document strictly (RFC 8259): no comments, no trailing commas, no duplicate keys, no lone surrogates.
///
/// Recursive descent over an array whose every access is bounds-checked. It knows nothing of what the document means.
struct JSONParser {
    private let bytes: [UInt8]
    private let limits: JSONValue.Limits
    private var position = 0
    private var depth = 0
    private var valueCount = 0

    init(_ bytes: [UInt8], limits: JSONValue.Limits) throws(JSONError) {
        guard bytes.count <= limits.byteCount else {
            throw .tooLarge(byteCount: bytes.count, limit: limits.byteCount)
        }
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseDocument() throws(JSONError) -> JSONValue {
        let value = try parseValue()
        skipWhitespace()
        guard position == bytes.count else { throw .trailingContent(offset: position) }
        return value
    }

    // MARK: Values

    private mutating func parseValue() throws(JSONError) -> JSONValue {
        skipWhitespace()
        let byte = try peek(expecting: "a value")
        guard valueCount < limits.valueCount else {
            throw .tooManyValues(offset: position, limit: limits.valueCount)
        }
        valueCount += 1
        switch byte {
        case UInt8(ascii: "{"): return .object(try parseObject())
        case UInt8(ascii: "["): return .array(try parseArray())
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseLiteral("true", as: .bool(true))
        case UInt8(ascii: "f"): return try parseLiteral("false", as: .bool(false))
        case UInt8(ascii: "n"): return try parseLiteral("null", as: .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try parseNumber())
        default: throw .unexpectedByte(offset: position, expected: "a value", got: byte)
        }
    }

    private mutating func parseObject() throws(JSONError) -> JSONObject {
        try enter()
        var object = JSONObject()
        skipWhitespace()
        if try peek(expecting: "a key or '}'") == UInt8(ascii: "}") { return leave(with: object) }
        while true {
            skipWhitespace()
            let keyOffset = position
            let byte = try peek(expecting: "a key")
            guard byte == UInt8(ascii: "\"") else {
                throw .unexpectedByte(offset: position, expected: "a key", got: byte)
            }
            let key = try parseString()
            try expect(UInt8(ascii: ":"), "':'")
            guard object.append(key, try parseValue()) else { throw .duplicateKey(key, offset: keyOffset) }
            if try endsList(with: UInt8(ascii: "}"), "',' or '}'") { return leave(with: object) }
        }
    }

    private mutating func parseArray() throws(JSONError) -> [JSONValue] {
        try enter()
        var elements: [JSONValue] = []
        skipWhitespace()
        if try peek(expecting: "a value or ']'") == UInt8(ascii: "]") { return leave(with: elements) }
        while true {
            elements.append(try parseValue())
            if try endsList(with: UInt8(ascii: "]"), "',' or ']'") { return leave(with: elements) }
        }
    }

    private mutating func parseLiteral(_ text: StaticString, as value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount {
            let byte = try peek(expecting: "\(text)")
            guard byte == text.utf8Start[index] else {
                throw .unexpectedByte(offset: position, expected: "\(text)", got: byte)
            }
            position += 1
        }
        return value
    }

    // MARK: Numbers

    private mutating func parseNumber() throws(JSONError) -> JSONNumber {
        let start = position
        skip(UInt8(ascii: "-"))
        let integerStart = position
        let integerCount = skipDigits()
        let hasLeadingZero = integerCount > 1 && bytes[integerStart] == UInt8(ascii: "0")
        guard integerCount > 0, !hasLeadingZero else { throw .invalidNumber(offset: start) }
        if skip(UInt8(ascii: ".")) {
            guard skipDigits() > 0 else { throw .invalidNumber(offset: start) }
        }
        if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
            if !skip(UInt8(ascii: "+")) { skip(UInt8(ascii: "-")) }
            guard skipDigits() > 0 else { throw .invalidNumber(offset: start) }
        }
        return JSONNumber(checked: String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] { position += 1 }
        return position - start
    }

    // MARK: Strings

    private mutating func parseString() throws(JSONError) -> String {
        let start = position
        position += 1
        var run = position
        var decoded: [UInt8] = []
        while true {
            let byte = try peek(expecting: "the end of a string")
            switch byte {
            case UInt8(ascii: "\""):
                decoded.append(contentsOf: bytes[run..<position])
                position += 1
                guard let text = String(validating: decoded, as: UTF8.self) else { throw .notUTF8(offset: start) }
                return text
            case UInt8(ascii: "\\"):
                decoded.append(contentsOf: bytes[run..<position])
                let scalar = try parseEscape()
                decoded.append(contentsOf: Array(String(scalar).utf8))
                run = position
            case 0..<0x20: throw .controlCharacter(offset: position)
            default: position += 1
            }
        }
    }

    private mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
        let start = position
        position += 1
        let byte = try peek(expecting: "an escape")
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try parseUnicodeEscape(start)
        default: throw .invalidEscape(offset: start)
        }
    }

    private mutating func parseUnicodeEscape(_ start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try parseHexDigits(start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        // Only surrogates are no scalars; a high one must be followed by an escaped low one.
        let end = position
        if first < 0xDC00, skip(UInt8(ascii: "\\")), skip(UInt8(ascii: "u")) {
            let second = try parseHexDigits(position - 2)
            if 0xDC00...0xDFFF ~= second {
                return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
            }
        }
        guard limits.replacesLoneSurrogates else { throw .loneSurrogate(offset: start) }
        position = end
        return "\u{FFFD}"
    }

    private mutating func parseHexDigits(_ start: Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = try peek(expecting: "four hexadecimal digits")
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { throw .invalidEscape(offset: start) }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Bytes

    private func peek(expecting expected: @autoclosure () -> String) throws(JSONError) -> UInt8 {
        guard position < bytes.count else { throw .unexpectedEnd(expected: expected()) }
        return bytes[position]
    }

    private mutating func expect(_ byte: UInt8, _ name: String) throws(JSONError) {
        skipWhitespace()
        let got = try peek(expecting: name)
        guard got == byte else { throw .unexpectedByte(offset: position, expected: name, got: got) }
        position += 1
    }

    /// Steps over a comma, or tells that the list's closing byte is next (and leaves it there).
    private mutating func endsList(with end: UInt8, _ names: String) throws(JSONError) -> Bool {
        skipWhitespace()
        let byte = try peek(expecting: names)
        if byte == end { return true }
        guard byte == UInt8(ascii: ",") else { throw .unexpectedByte(offset: position, expected: names, got: byte) }
        position += 1
        return false
    }

    private mutating func enter() throws(JSONError) {
        guard depth < limits.depth else { throw .tooDeep(offset: position, limit: limits.depth) }
        depth += 1
        position += 1
    }

    private mutating func leave<T>(with value: T) -> T {
        depth -= 1
        position += 1
        return value
    }

    @discardableResult
    private mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }
}
