/// Turns one piece of text into token ids by byte-pair encoding.
///
/// A piece that is a token as a whole is that token. Any other begins as single bytes; the adjacent pair whose joined
/// bytes have the lowest rank is merged, leftmost first, until no pair is a token. Short pieces look for the lowest rank
/// by scanning; long ones keep a heap, so that a megabyte without a split costs O(n log n).
struct BytePairEncoder {
    private let ranks: RankLookup
    private let byteIDs: UnsafeBufferPointer<TokenID>
    private var short = ShortPieceMerger()
    private var long = LongPieceMerger()

    /// Makes an encoder that is valid as long as the buffers behind its arguments.
    init(ranks: RankLookup, byteIDs: UnsafeBufferPointer<TokenID>) {
        self.ranks = ranks
        self.byteIDs = byteIDs
    }

    /// Appends the ids of the `count` bytes at `piece`; `count` must not be 0.
    @inline(__always)
    mutating func encode(_ piece: UnsafeRawPointer, count: Int, into output: inout [TokenID]) {
        let whole = ranks.rank(of: piece, count: count)
        if whole != RankTable.noRank {
            output.append(TokenID(bitPattern: whole))
        } else {
            merge(piece, count, into: &output)
        }
    }

    private mutating func merge(_ piece: UnsafeRawPointer, _ count: Int, into output: inout [TokenID]) {
        if count <= ShortPieceMerger.longestPiece {
            short.merge(piece, count, ranks) { [ranks, byteIDs] in
                output.append(Self.token(piece + $0, count: $1, ranks, byteIDs))
            }
        } else {
            long.merge(piece, count, ranks) { [ranks, byteIDs] in
                output.append(Self.token(piece + $0, count: $1, ranks, byteIDs))
            }
        }
    }

    /// The id of bytes that are known to be a token.
    @inline(__always)
    private static func token(
        _ bytes: UnsafeRawPointer, count: Int, _ ranks: RankLookup, _ byteIDs: UnsafeBufferPointer<TokenID>
    ) -> TokenID {
        count == 1
            ? byteIDs[Int(bytes.load(as: UInt8.self))]
            : TokenID(bitPattern: ranks.rank(of: bytes, count: count))
    }
}

/// Merges by scanning for the lowest rank: least work while everything fits into a few cache lines.
private struct ShortPieceMerger {
    /// Above this many bytes the heap is faster.
    static let longestPiece = 128

    /// Where part i begins; one entry more than parts, so that part i ends where i + 1 begins.
    private var starts = [Int32](repeating: 0, count: longestPiece + 1)
    /// The rank of part i joined with part i + 1.
    private var pairs = [UInt32](repeating: RankTable.noRank, count: longestPiece + 1)

    /// Merges the piece and hands every final part (offset, byte count) to `emit`, in order.
    @inline(__always)
    mutating func merge(_ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup, emit: (Int, Int) -> Void) {
        starts.withUnsafeMutableBufferPointer { starts in
            pairs.withUnsafeMutableBufferPointer { pairs in
                let partCount = Self.mergeAll(piece, count, ranks, starts, pairs)
                for part in 0..<partCount {
                    emit(Int(starts[part]), Int(starts[part + 1] - starts[part]))
                }
            }
        }
    }

    private static func mergeAll(
        _ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup,
        _ starts: UnsafeMutableBufferPointer<Int32>, _ pairs: UnsafeMutableBufferPointer<UInt32>
    ) -> Int {
        for index in 0...count { starts[index] = Int32(truncatingIfNeeded: index) }
        for index in 0..<(count - 1) {
            pairs[index] = ranks.pairRank(
                (piece + index).load(as: UInt8.self), (piece + index + 1).load(as: UInt8.self))
        }
        var partCount = count
        while true {
            var lowest = RankTable.noRank
            var at = 0
            for index in 0..<(partCount - 1) where pairs[index] < lowest {
                lowest = pairs[index]
                at = index
            }
            guard lowest != RankTable.noRank else { return partCount }
            // Part `at` swallows the next one: close the gap, then look at its two new neighbors.
            partCount -= 1
            for index in (at + 1)..<(partCount + 1) { starts[index] = starts[index + 1] }
            if at + 1 < partCount {
                for index in (at + 1)..<partCount { pairs[index] = pairs[index + 1] }
                pairs[at] = rank(at, starts, piece, ranks)
            }
            if at > 0 { pairs[at - 1] = rank(at - 1, starts, piece, ranks) }
        }
    }

    @inline(__always)
    private static func rank(
        _ part: Int, _ starts: UnsafeMutableBufferPointer<Int32>, _ piece: UnsafeRawPointer, _ ranks: RankLookup
    ) -> UInt32 {
        ranks.rank(of: piece + Int(starts[part]), count: Int(starts[part + 2] - starts[part]))
    }
}

/// Merges with a heap of candidate pairs: O(n log n) in the bytes of the piece.
///
/// Parts form a linked list over byte offsets. A heap entry is rank · 2³² + offset, so that the smallest is the lowest
/// rank and, of equals, the leftmost. Entries are not removed when their pair changes: they are skipped when they come
/// up and no longer tell the pair's rank.
private struct LongPieceMerger {
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
