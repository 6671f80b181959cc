/// Why bytes are not the JSON document they should be; offsets count bytes from the document's start.
public enum JSONError: Error, Hashable, Sendable {
    case tooLarge(byteCount: Int, limit: Int)
    case notUTF8(offset: Int)
    case unexpectedEnd(expected: String)
    case unexpectedByte(offset: Int, expected: String, got: UInt8)
    case invalidNumber(offset: Int)
    case invalidEscape(offset: Int)
    case loneSurrogate(offset: Int)
    case controlCharacter(offset: Int)
    case duplicateKey(String, offset: Int)
    case tooManyValues(offset: Int, limit: Int)
    case tooDeep(offset: Int, limit: Int)
    case trailingContent(offset: Int)
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let byteCount, let limit): "it has \(byteCount) bytes, the limit is \(limit)"
        case .notUTF8(let offset): "the string at byte \(offset) is not UTF-8"
        case .unexpectedEnd(let expected): "it ends where \(expected) should follow"
        case .unexpectedByte(let offset, let expected, let got):
            "byte \(offset) is \(Self.shown(got)) where \(expected) should stand"
        case .invalidNumber(let offset): "the number at byte \(offset) is malformed"
        case .invalidEscape(let offset): "the escape at byte \(offset) is none that JSON knows"
        case .loneSurrogate(let offset): "the escape at byte \(offset) is half of a surrogate pair"
        case .controlCharacter(let offset): "the control character at byte \(offset) must be written as an escape"
        case .duplicateKey(let key, let offset): "the key \"\(key)\" occurs a second time at byte \(offset)"
        case .tooManyValues(let offset, let limit): "it has more than \(limit) values, the next at byte \(offset)"
        case .tooDeep(let offset, let limit): "it is nested deeper than \(limit) levels at byte \(offset)"
        case .trailingContent(let offset): "something follows the document at byte \(offset)"
        }
    }

    private static func shown(_ byte: UInt8) -> String {
        0x21...0x7E ~= byte ? "'\(Character(UnicodeScalar(byte)))'" : "0x" + String(byte, radix: 16)
    }
}
