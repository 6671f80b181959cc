import CCUDA

/// The 16 bytes that tell a card, or a part of one, from every other.
public struct CardUUID: Sendable, Hashable {
    /// The bytes, the first first.
    public let bytes: [UInt8]

    init(_ uuid: CUuuid) { bytes = withUnsafeBytes(of: uuid) { Array($0) } }

    /// Reads `GPU-8932f937-d72c-…` or `MIG-…`; nil unless 32 hexadecimal digits follow the word.
    public init?(_ text: String) {
        let digits = text.dropFirst(4).filter { $0 != "-" }
        guard text.hasPrefix("GPU-") || text.hasPrefix("MIG-"), digits.utf8.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self.bytes = bytes
    }
}

extension CardUUID: CustomStringConvertible {
    /// As `nvidia-smi -L` lists a card.
    public var description: String {
        let digits = bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count == 1 ? "0" + text : text
        }
        let groups = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
        return "GPU-" + groups.joined(separator: "-")
    }
}
