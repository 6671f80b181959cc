/// The four classes that the split pattern tells apart.
enum UnicodeClass: UInt8 {
    case other = 0
    /// `\p{L}`
    case letter = 1
    /// `\p{N}`
    case number = 2
    /// `\s`, which is Unicode's White_Space
    case space = 3
}

/// The class of every Unicode scalar, fixed to the Unicode version the model's own tokenizer uses.
///
/// Swift's scalar properties follow a newer Unicode, in which thousands of scalars have another class, so the table is
/// generated (`Tools/unicode`) and committed. It is unpacked once, at first use:
///
///     index   | block of scalars 0–255 | block of 256–511 | …            4,352 entries
///     blocks  | 256 classes of block 0 | 256 classes of block 1 | …      a byte each
struct UnicodeClasses: Sendable {
    /// The table, unpacked at first use.
    static let shared = UnicodeClasses()

    private let index: [UInt8]
    private let blocks: [UnicodeClass]

    private init() {
        let runs = Self.bytes(of: UnicodeClassData.index)
        var index: [UInt8] = []
        for run in stride(from: 0, to: runs.count, by: 2) {
            index.append(contentsOf: repeatElement(runs[run + 1], count: Int(runs[run])))
        }
        precondition(index.count == 0x110000 >> 8, "the generated class table is damaged: run the generator again")
        self.index = index
        blocks = Self.bytes(of: UnicodeClassData.blocks).flatMap { packed in
            (0..<4).map { UnicodeClass(rawValue: packed >> ($0 * 2) & 3) ?? .other }
        }
    }

    /// Runs `body` with direct access to the table, which is valid only until `body` returns.
    @inline(__always)
    func withLookup<Result>(_ body: (UnicodeClassLookup) -> Result) -> Result {
        index.withUnsafeBufferPointer { index in
            blocks.withUnsafeBufferPointer { body(UnicodeClassLookup(index: index, blocks: $0)) }
        }
    }

    private static func bytes(of text: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        let isValid = text.withUTF8Buffer { Base64.decode($0, appendingTo: &bytes) }
        precondition(isValid, "the generated class table is damaged: run the generator again")
        return bytes
    }
}

/// Direct access to `UnicodeClasses` while one text is split.
struct UnicodeClassLookup {
    fileprivate let index: UnsafeBufferPointer<UInt8>
    fileprivate let blocks: UnsafeBufferPointer<UnicodeClass>

    /// The class of the scalar that begins at `position` of valid UTF-8, and the position behind it.
    @inline(__always)
    func scalar(_ text: UnsafeBufferPointer<UInt8>, at position: Int) -> (class: UnicodeClass, next: Int) {
        let lead = text[position]
        if lead < 0x80 { return (blocks[Int(lead)], position + 1) }  // block 0 holds the first 256 scalars
        let second = UInt32(text[position + 1] & 0x3F)
        if lead < 0xE0 { return (of(UInt32(lead & 0x1F) << 6 | second), position + 2) }
        let third = UInt32(text[position + 2] & 0x3F)
        if lead < 0xF0 { return (of(UInt32(lead & 0x0F) << 12 | second << 6 | third), position + 3) }
        let fourth = UInt32(text[position + 3] & 0x3F)
        return (of(UInt32(lead & 0x07) << 18 | second << 12 | third << 6 | fourth), position + 4)
    }

    @inline(__always)
    private func of(_ scalar: UInt32) -> UnicodeClass {
        blocks[Int(index[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
    }
}
