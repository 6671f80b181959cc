/// Merges with a heap of candidate pairs: O(n log n) in the bytes of the piece.
///
/// Parts form a linked list over byte offsets. A heap entry is rank · 2³² + offset, so that the smallest is the lowest
/// rank and, of equals, the leftmost. Entries are not removed when their pair changes: they are skipped when they come
/// up and no longer tell the pair's rank.
struct LongPieceMerger {
    /// The part after the one at an offset, and the one before it.
    private var next: [UInt32] = []
    private var previous: [UInt32] = []
    /// The rank of the part at an offset joined with the next; `noRank` inside merged parts.
    private var pairs: [UInt32] = []
    private var heap = MinHeap([])

    /// Merges the piece and hands every final part (offset, byte count) to `emit`, in order.
    mutating func merge(_ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup, emit: (Int, Int) -> Void) {
        precondition(count < Int(UInt32.max), "one piece of text is limited to 4 GiB")
        fill(piece, count, ranks)
        while let entry = heap.popFirst() {
            let part = Int(entry & 0xFFFF_FFFF)
            guard pairs[part] == UInt32(entry >> 32) else { continue }
            mergeNext(part, piece, count, ranks)
        }
        var part = 0
        while part < count {
            emit(part, Int(next[part]) - part)
            part = Int(next[part])
        }
    }

    private mutating func fill(_ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup) {
        next = (1...UInt32(count)).map { $0 }
        previous = (0..<UInt32(count)).map { $0 &- 1 }
        pairs = (0..<count).map { index in
            index + 1 == count
                ? RankTable.noRank
                : ranks.pairRank((piece + index).load(as: UInt8.self), (piece + index + 1).load(as: UInt8.self))
        }
        var entries: [UInt64] = []
        for (part, rank) in pairs.enumerated() where rank != RankTable.noRank {
            entries.append(Self.entry(rank, part))
        }
        heap = MinHeap(entries)
    }

    /// Joins the part at `part` with the one after it.
    private mutating func mergeNext(_ part: Int, _ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup) {
        let swallowed = Int(next[part])
        next[part] = next[swallowed]
        pairs[swallowed] = RankTable.noRank
        if Int(next[part]) < count { previous[Int(next[part])] = UInt32(part) }
        update(part, piece, count, ranks)
        if part > 0 { update(Int(previous[part]), piece, count, ranks) }
    }

    private mutating func update(_ part: Int, _ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup) {
        let middle = Int(next[part])
        guard middle < count else {
            pairs[part] = RankTable.noRank
            return
        }
        pairs[part] = ranks.rank(of: piece + part, count: Int(next[middle]) - part)
        if pairs[part] != RankTable.noRank { heap.insert(Self.entry(pairs[part], part)) }
    }

    private static func entry(_ rank: UInt32, _ part: Int) -> UInt64 {
        UInt64(rank) << 32 | UInt64(part)
    }
}
