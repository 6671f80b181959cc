/// Token bytes to rank: open addressing over one byte arena.
///
/// A slot keeps eight bytes of key beside the rank. Up to eight token bytes fit into the key itself, so the common
/// lookup costs one memory access; a longer token keeps a hash there and is compared in the arena.
///
///     slots   | key 8 | rank 4 | byteCount 4 |   16 bytes each, a power of two of them, at most 5/8 full
///     arena   | ! | " | … | t h e | a n d | …    all tokens, one after the other
///     spans   | start 4, count 4 |               by rank: where a token's bytes stand in the arena
struct RankTable: Sendable {
    /// Where the bytes of one token stand in the arena.
    struct Span: Sendable {
        var start: UInt32
        var count: UInt32
    }

    /// One place of the table; free while `byteCount` is 0.
    struct Slot: Sendable {
        var key: UInt64
        var rank: Int32
        var byteCount: UInt32
    }

    /// The most tokens a vocabulary may have: a rank and the offset in a short piece share 31 bits.
    static let largestRankCount = 1 << 24

    /// What a pair of bytes has in place of a rank when no token is made of it; larger than every rank.
    static let noRank = UInt32.max

    private(set) var slots: [Slot]
    /// A bit for each hash that occurs: most pairs of parts are no token, and these small words say so at once.
    private(set) var filter: [UInt64]
    private(set) var arena: [UInt8] = []
    private(set) var spans: [Span]
    /// The rank of each two-byte token at first byte · 256 + second byte: what every merge begins with.
    private(set) var pairRanks = [UInt32](repeating: noRank, count: 1 << 16)
    private(set) var longestByteCount = 0

    /// Makes a table for `rankCount` tokens of `byteCount` bytes together, all still to be inserted.
    init(rankCount: Int, byteCount: Int) {
        var slotCount = 1024
        while slotCount * 5 / 8 < rankCount { slotCount *= 2 }
        slots = [Slot](repeating: Slot(key: 0, rank: 0, byteCount: 0), count: slotCount)
        filter = [UInt64](repeating: 0, count: slotCount / 8)
        spans = [Span](repeating: Span(start: 0, count: 0), count: rankCount)
        arena.reserveCapacity(byteCount)
    }

    /// Runs `body` with direct access to the table, which is valid only until `body` returns.
    @inline(__always)
    func withLookup<Result>(_ body: (RankLookup) -> Result) -> Result {
        slots.withUnsafeBufferPointer { slots in
            filter.withUnsafeBufferPointer { filter in
                arena.withUnsafeBufferPointer { arena in
                    spans.withUnsafeBufferPointer { spans in
                        pairRanks.withUnsafeBufferPointer { pairRanks in
                            body(
                                RankLookup(
                                    slots: slots, filter: filter, arena: arena, spans: spans, pairRanks: pairRanks,
                                    longestByteCount: longestByteCount))
                        }
                    }
                }
            }
        }
    }

    /// Appends the decoded base64 `text` to the arena; nil when it is not base64.
    mutating func appendToken(base64 text: UnsafeBufferPointer<UInt8>) -> Span? {
        let start = arena.count
        guard Base64.decode(text, appendingTo: &arena) else { return nil }
        return Span(start: UInt32(start), count: UInt32(arena.count - start))
    }

    /// Whether a token of this rank has been inserted.
    func contains(rank: Int) -> Bool {
        spans[rank].count > 0
    }

    /// Gives the arena's bytes `span` the rank; returns the rank of an equal earlier token, and then changes nothing.
    mutating func insert(_ span: Span, rank: Int) -> Int? {
        let key = arena.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a span without an arena") }
            return RankLookup.key(of: base + Int(span.start), count: Int(span.count))
        }
        let hash = RankLookup.hash(key, count: Int(span.count))
        var index = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[index].byteCount > 0 {
            let slot = slots[index]
            if slot.key == key && slot.byteCount == span.count && equal(spans[Int(slot.rank)], span) {
                return Int(slot.rank)
            }
            index = (index + 1) & (slots.count - 1)
        }
        filter[RankLookup.filterWord(hash, filter.count)] |= RankLookup.filterBit(hash)
        slots[index] = Slot(key: key, rank: Int32(rank), byteCount: span.count)
        spans[rank] = span
        longestByteCount = max(longestByteCount, Int(span.count))
        if span.count == 2 {
            let start = Int(span.start)
            pairRanks[Int(arena[start]) << 8 | Int(arena[start + 1])] = UInt32(rank)
        }
        return nil
    }

    private func equal(_ a: Span, _ b: Span) -> Bool {
        a.count == b.count
            && (0..<Int(a.count)).allSatisfy { arena[Int(a.start) + $0] == arena[Int(b.start) + $0] }
    }
}
