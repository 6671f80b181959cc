/// Base64 as vocabularies use it: standard alphabet, padded, canonical.
enum Base64 {
    /// Appends the bytes that `text` stands for; false when it is not canonical base64 (then `output` is unspecified).
    static func decode(_ text: UnsafeBufferPointer<UInt8>, appendingTo output: inout [UInt8]) -> Bool {
        guard text.count % 4 == 0 else { return false }
        var index = 0
        while index < text.count {
            let isLast = index + 4 == text.count
            let a = value(text[index])
            let b = value(text[index + 1])
            if isLast && text[index + 3] == padding {
                return decodeTail(a, b, text[index + 2], appendingTo: &output)
            }
            let c = value(text[index + 2])
            let d = value(text[index + 3])
            guard (a | b | c | d) < 64 else { return false }
            output.append(a << 2 | b >> 4)
            output.append(b << 4 | c >> 2)
            output.append(c << 6 | d)
            index += 4
        }
        return true
    }

    /// The last group, which ends in one or two `=`; bits beyond the last byte must be zero.
    private static func decodeTail(_ a: UInt8, _ b: UInt8, _ third: UInt8, appendingTo output: inout [UInt8]) -> Bool {
        guard (a | b) < 64 else { return false }
        output.append(a << 2 | b >> 4)
        if third == padding { return b & 0x0F == 0 }
        let c = value(third)
        guard c < 64 else { return false }
        output.append(b << 4 | c >> 2)
        return c & 0x03 == 0
    }

    private static let padding = UInt8(ascii: "=")

    /// The six bits of a character, or 0xFF.
    @inline(__always)
    private static func value(_ character: UInt8) -> UInt8 {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character &- 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character &- 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character &+ 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: 0xFF
        }
    }
}
