/// Merges by scanning for the lowest rank: least work while everything fits into a few cache lines.
///
/// Parts stay where their first byte is, in a linked list over byte offsets. The key of a part is rank · 128 + offset of
/// it joined with the next, so that the smallest key is the lowest rank and, of equals, the leftmost; the scan is then a
/// plain minimum without branches, which compilers turn into vector instructions.
struct ShortPieceMerger {
    /// The most bytes a piece may have: offsets take seven bits of a key.
    static let longestPiece = 128

    private static let noKey = Int32.max
    /// Keys are scanned in groups of this many.
    private static let group = 16

    private var keys = [Int32](repeating: noKey, count: longestPiece)
    /// The offset of the part after the one at an offset, and of the one before it.
    private var next = [UInt8](repeating: 0, count: longestPiece + 1)
    private var previous = [UInt8](repeating: 0, count: longestPiece + 1)

    /// Merges the piece and hands every final part (offset, byte count) to `emit`, in order.
    @inline(__always)
    mutating func merge(_ piece: UnsafeRawPointer, _ count: Int, _ ranks: RankLookup, emit: (Int, Int) -> Void) {
        keys.withUnsafeMutableBufferPointer { keys in
            next.withUnsafeMutableBufferPointer { next in
                previous.withUnsafeMutableBufferPointer { previous in
                    let parts = Parts(
                        piece: piece, count: count, scanned: (count + Self.group - 1) / Self.group * Self.group,
                        ranks: ranks, keys: keys, next: next, previous: previous)
                    parts.mergeAll()
                    var part = 0
                    while part < count {
                        let end = Int(next[part])
                        emit(part, end - part)
                        part = end
                    }
                }
            }
        }
    }

    /// The parts of one piece while it is merged.
    private struct Parts {
        let piece: UnsafeRawPointer
        let count: Int
        /// The keys to scan: all parts, rounded up to whole groups.
        let scanned: Int
        let ranks: RankLookup
        let keys: UnsafeMutableBufferPointer<Int32>
        let next: UnsafeMutableBufferPointer<UInt8>
        let previous: UnsafeMutableBufferPointer<UInt8>

        func mergeAll() {
            fill()
            while true {
                let lowest = lowestKey()
                if lowest == noKey { return }
                mergeNext(Int(lowest & 127))
            }
        }

        private func fill() {
            for index in 0..<count {
                next[index] = UInt8(truncatingIfNeeded: index + 1)
                previous[index + 1] = UInt8(truncatingIfNeeded: index)
            }
            for index in 0..<(count - 1) {
                let rank = ranks.pairRank(
                    (piece + index).load(as: UInt8.self), (piece + index + 1).load(as: UInt8.self))
                keys[index] = key(rank, index)
            }
            for index in (count - 1)..<scanned { keys[index] = noKey }
        }

        @inline(__always)
        private func lowestKey() -> Int32 {
            var lowest = noKey
            for index in 0..<scanned { lowest = min(lowest, keys[index]) }
            return lowest
        }

        /// Joins the part at `part` with the one after it, and looks at its two new neighbors.
        @inline(__always)
        private func mergeNext(_ part: Int) {
            let swallowed = Int(next[part])
            let end = Int(next[swallowed])
            next[part] = UInt8(truncatingIfNeeded: end)
            previous[end] = UInt8(truncatingIfNeeded: part)
            keys[swallowed] = noKey
            keys[part] = end < count ? key(from: part, to: Int(next[end])) : noKey
            if part > 0 {
                let before = Int(previous[part])
                keys[before] = key(from: before, to: end)
            }
        }

        @inline(__always)
        private func key(from start: Int, to end: Int) -> Int32 {
            key(ranks.rank(of: piece + start, count: end - start), start)
        }

        @inline(__always)
        private func key(_ rank: UInt32, _ part: Int) -> Int32 {
            rank == RankTable.noRank ? noKey : Int32(truncatingIfNeeded: rank) << 7 | Int32(truncatingIfNeeded: part)
        }
    }
}
