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
