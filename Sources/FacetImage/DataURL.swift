/// A `data:` URL (RFC 2397): `data:[media type][;base64],data`.
///
/// The media type is not trusted and not used: the bytes say what they are. Base64 is decoded as the WHATWG "forgiving
/// base64" that browsers use for such URLs: the standard alphabet, ASCII white space anywhere, padding right or absent.
struct DataURL {
    private let isBase64: Bool
    private let payload: Substring.UTF8View

    /// Splits a URL into its parts; decodes nothing.
    ///
    /// - Throws: `.malformedDataURL`.
    init(_ url: String) throws(ImageError) {
        let scheme = "data:"
        guard url.prefix(scheme.count).lowercased() == scheme else {
            throw .malformedDataURL(reason: "it does not begin with data:")
        }
        let utf8 = url.utf8.dropFirst(scheme.utf8.count)
        guard let comma = utf8.firstIndex(of: UInt8(ascii: ",")) else {
            throw .malformedDataURL(reason: "it has no comma before the data")
        }
        let header = Substring(utf8[..<comma]).lowercased()
        isBase64 = header.split(separator: ";", omittingEmptySubsequences: false).dropFirst().last == "base64"
        payload = utf8[utf8.index(after: comma)...]
    }

    /// The bytes that the URL carries.
    ///
    /// - Parameter limit: most bytes that are decoded.
    /// - Throws: `.malformedDataURL`, and `.fileTooLarge`, from the length of the text and before it is decoded.
    func decode(limit: Int) throws(ImageError) -> [UInt8] {
        // Four characters a byte is the longest that base64 with every character percent-encoded can be.
        try Self.check(payload.count / 4 - 2, limit)
        var text = Array(payload)
        if text.contains(UInt8(ascii: "%")) { text = try Self.percentDecoded(text) }
        guard isBase64 else {
            try Self.check(text.count, limit)
            return text
        }
        text.removeAll { $0 == 0x20 || (0x09...0x0D).contains($0) && $0 != 0x0B }
        try Self.check(text.count / 4 * 3 - 2, limit)
        return try Self.base64Decoded(text)
    }

    private static func check(_ byteCount: Int, _ limit: Int) throws(ImageError) {
        if byteCount > limit { throw .fileTooLarge(image: "The data: URL", byteCount: byteCount, limit: limit) }
    }

    private static func percentDecoded(_ text: [UInt8]) throws(ImageError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var i = 0
        while i < text.count {
            if text[i] != UInt8(ascii: "%") {
                bytes.append(text[i])
                i += 1
                continue
            }
            guard i + 2 < text.count, let high = hexDigit(text[i + 1]), let low = hexDigit(text[i + 2]) else {
                throw .malformedDataURL(reason: "the % at byte \(i) of the data is not followed by two hex digits")
            }
            bytes.append(high << 4 | low)
            i += 3
        }
        return bytes
    }

    private static func hexDigit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }

    private static func base64Decoded(_ text: [UInt8]) throws(ImageError) -> [UInt8] {
        var digits = text[...]
        if digits.count.isMultiple(of: 4) {
            // Only here may there be padding: one or two signs at the very end.
            for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
        }
        if digits.count % 4 == 1 {
            throw .malformedDataURL(reason: "\(text.count) base64 characters cannot be whole bytes")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3 + 2)
        var buffer: UInt32 = 0
        var bitCount = 0
        for (offset, character) in digits.enumerated() {
            let value = base64Values[Int(character)]
            if value > 63 {
                throw .malformedDataURL(reason: "character \(offset) of the data is not base64")
            }
            buffer = buffer << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> bitCount))
            }
        }
        return bytes
    }

    /// Value of each character of the standard alphabet; 255 for every other byte.
    private static let base64Values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}
