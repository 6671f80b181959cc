/// Questions about UTF-8 bytes that decoding piece by piece must answer.
enum UTF8Text {
    /// Where the first ill-formed sequence begins, or nil when all bytes are UTF-8.
    static func firstInvalidOffset(in bytes: [UInt8]) -> Int? {
        var position = 0
        while position < bytes.count {
            guard let length = sequenceLength(bytes[position]), position + length <= bytes.count else {
                return position
            }
            for offset in 1..<max(length, 1) where !isContinuation(bytes[position + offset], offset, bytes[position]) {
                return position
            }
            position += length
        }
        return nil
    }

    /// How many bytes at the end begin a character that later bytes may complete: 0 to 3.
    static func incompleteTailCount(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let start = bytes.count - count
            guard let length = sequenceLength(bytes[start]) else {
                // Not a lead byte: only a continuation byte lets the search go on.
                if bytes[start] & 0xC0 == 0x80 { continue }
                return 0
            }
            guard length > count else { return 0 }
            let fits = (1..<count).allSatisfy { isContinuation(bytes[start + $0], $0, bytes[start]) }
            return fits ? count : 0
        }
        return 0
    }

    /// The bytes of the sequence that a lead byte announces, or nil when the byte cannot lead.
    private static func sequenceLength(_ lead: UInt8) -> Int? {
        switch lead {
        case 0..<0x80: 1
        case 0xC2..<0xE0: 2
        case 0xE0..<0xF0: 3
        case 0xF0..<0xF5: 4
        default: nil
        }
    }

    /// Whether `byte` may be byte number `offset` of the sequence that `lead` begins (Unicode, table 3-7).
    private static func isContinuation(_ byte: UInt8, _ offset: Int, _ lead: UInt8) -> Bool {
        guard offset == 1 else { return byte & 0xC0 == 0x80 }
        switch lead {
        case 0xE0: return (0xA0...0xBF).contains(byte)
        case 0xED: return (0x80...0x9F).contains(byte)
        case 0xF0: return (0x90...0xBF).contains(byte)
        case 0xF4: return (0x80...0x8F).contains(byte)
        default: return byte & 0xC0 == 0x80
        }
    }
}
