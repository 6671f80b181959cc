/// Direct access to a `RankTable` while one text is encoded: no reference counting, no bounds checks.
///
/// Hashing follows the usual multiply-and-fold of eight bytes at a time; a token of up to eight bytes is its own key,
/// so that equal keys of equal length mean equal bytes.
struct RankLookup {
    let slots: UnsafeBufferPointer<RankTable.Slot>
    let filter: UnsafeBufferPointer<UInt64>
    let arena: UnsafeBufferPointer<UInt8>
    let spans: UnsafeBufferPointer<RankTable.Span>
    let pairRanks: UnsafeBufferPointer<UInt32>
    let longestByteCount: Int

    /// The rank of `count` bytes at `bytes`, or `RankTable.noRank`.
    ///
    /// Reads nothing beyond them; `count` must not be 0.
    @inline(__always)
    func rank(of bytes: UnsafeRawPointer, count: Int) -> UInt32 {
        guard count <= longestByteCount else { return RankTable.noRank }
        let key = Self.key(of: bytes, count: count)
        let hash = Self.hash(key, count: count)
        guard filter[Self.filterWord(hash, filter.count)] & Self.filterBit(hash) != 0 else { return RankTable.noRank }
        let mask = slots.count &- 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[index]
            if slot.byteCount == 0 { return RankTable.noRank }
            if slot.key == key && slot.byteCount == UInt32(truncatingIfNeeded: count)
                && (count <= 8 || isToken(slot.rank, bytes))
            {
                return UInt32(bitPattern: slot.rank)
            }
            index = (index &+ 1) & mask
        }
    }

    /// The rank of the two-byte token `first`, `second`, or `RankTable.noRank`.
    @inline(__always)
    func pairRank(_ first: UInt8, _ second: UInt8) -> UInt32 {
        pairRanks[Int(first) << 8 | Int(second)]
    }

    /// Whether the bytes at `bytes` are those of the token, as many as it has.
    private func isToken(_ rank: Int32, _ bytes: UnsafeRawPointer) -> Bool {
        let span = spans[Int(rank)]
        guard let base = arena.baseAddress else { return false }
        let token = UnsafeRawPointer(base) + Int(span.start)
        var offset = 0
        while offset + 8 <= Int(span.count) {
            if Self.word(token + offset) != Self.word(bytes + offset) { return false }
            offset += 8
        }
        let last = Int(span.count) - 8  // longer than eight bytes: the last word overlaps the one before
        return Self.word(token + last) == Self.word(bytes + last)
    }

    /// Up to eight bytes exactly, or a hash of more.
    ///
    /// Only together with the count does it stand for the bytes.
    @inline(__always)
    static func key(of bytes: UnsafeRawPointer, count: Int) -> UInt64 {
        if count >= 8 { return count == 8 ? word(bytes) : longKey(bytes, count) }
        if count >= 4 {
            // Two overlapping halves: with the count known, every byte is in one of them.
            return UInt64(half(bytes)) | UInt64(half(bytes + (count &- 4))) << 32
        }
        let first = bytes.load(as: UInt8.self)
        let middle = (bytes + (count >> 1)).load(as: UInt8.self)
        let last = (bytes + (count &- 1)).load(as: UInt8.self)
        return UInt64(first) | UInt64(middle) << 8 | UInt64(last) << 16
    }

    /// The hash of a key: its low bits say where the search begins, its high bits stand in the filter.
    @inline(__always)
    static func hash(_ key: UInt64, count: Int) -> UInt64 {
        fold(key ^ (UInt64(truncatingIfNeeded: count) &* 0xA076_1D64_78BD_642F))
    }

    /// Which word of a filter of `wordCount` words, a power of two, a hash belongs to.
    @inline(__always)
    static func filterWord(_ hash: UInt64, _ wordCount: Int) -> Int {
        Int(truncatingIfNeeded: hash >> 38) & (wordCount &- 1)
    }

    /// The bit of that word.
    @inline(__always)
    static func filterBit(_ hash: UInt64) -> UInt64 {
        1 << (hash >> 32 & 63)
    }

    private static func longKey(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var state: UInt64 = 0
        var offset = 0
        while offset + 8 < count {
            state = fold(state ^ word(bytes + offset))
            offset += 8
        }
        return fold(state ^ word(bytes + (count - 8)))
    }

    @inline(__always)
    private static func fold(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawPointer) -> UInt64 {
        bytes.loadUnaligned(as: UInt64.self)
    }

    @inline(__always)
    private static func half(_ bytes: UnsafeRawPointer) -> UInt32 {
        bytes.loadUnaligned(as: UInt32.self)
    }
}
