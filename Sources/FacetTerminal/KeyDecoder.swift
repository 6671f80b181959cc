/// A key as a line editor understands it.
public enum Key: Sendable, Hashable {
    /// A character to insert.
    case character(Character)
    case enter
    case backspace
    case delete
    case left
    case right
    case up
    case down
    case home
    case end
    /// Control and a letter, in lower case.
    case control(Character)
}

/// Turns a terminal's bytes into keys; a state machine that can be fed one byte at a time.
///
/// Understands UTF-8, the CSI and SS3 sequences of common terminals, and drops what it does not know.
public struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []

    /// Makes a decoder at the start of a key.
    public init() {}

    /// Takes a byte; returns a key when one is complete.
    public mutating func decode(_ byte: UInt8) -> Key? {
        pending.append(byte)
        if pending[0] == 0x1B { return decodeEscape() }
        if pending[0] < 0x80 {
            pending.removeAll()
            return Self.controlOrASCII(byte)
        }
        return decodeUTF8()
    }

    private static func controlOrASCII(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x0A, 0x0D: .enter
        case 0x08, 0x7F: .backspace
        case 0x01...0x1A: .control(Character(Unicode.Scalar(byte + 0x60)))
        case 0x20...0x7E: .character(Character(Unicode.Scalar(byte)))
        default: nil
        }
    }

    private mutating func decodeUTF8() -> Key? {
        let expected: Int
        switch pending[0] {
        case 0xC2...0xDF: expected = 2
        case 0xE0...0xEF: expected = 3
        case 0xF0...0xF4: expected = 4
        default: expected = 1
        }
        guard pending.count >= expected else { return nil }
        defer { pending.removeAll() }
        guard let text = String(validating: pending, as: UTF8.self), let character = text.first else { return nil }
        return .character(character)
    }

    private mutating func decodeEscape() -> Key? {
        guard pending.count >= 2 else { return nil }
        guard pending[1] == UInt8(ascii: "[") || pending[1] == UInt8(ascii: "O") else {
            pending.removeAll()
            return nil
        }
        // A sequence ends with a byte in 0x40...0x7E.
        guard pending.count >= 3, let last = pending.last, (0x40...0x7E).contains(last) else {
            if pending.count > 16 { pending.removeAll() }
            return nil
        }
        let parameters = pending[2..<(pending.count - 1)]
        pending.removeAll(keepingCapacity: true)
        return Self.key(final: last, parameter: parameters.first)
    }

    private static func key(final: UInt8, parameter: UInt8?) -> Key? {
        switch (final, parameter) {
        case (UInt8(ascii: "A"), _): .up
        case (UInt8(ascii: "B"), _): .down
        case (UInt8(ascii: "C"), _): .right
        case (UInt8(ascii: "D"), _): .left
        case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), UInt8(ascii: "1")), (UInt8(ascii: "~"), UInt8(ascii: "7")):
            .home
        case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), UInt8(ascii: "4")), (UInt8(ascii: "~"), UInt8(ascii: "8")):
            .end
        case (UInt8(ascii: "~"), UInt8(ascii: "3")): .delete
        default: nil
        }
    }
}
