import FacetTokenizer
import Testing

@Suite("Byte-pair encoding")
struct BytePairEncoderTests {
    /// The definition, as slow as it reads: merge the leftmost pair of the lowest rank until none is a token.
    private func reference(_ piece: [UInt8], _ ranks: [[UInt8]: TokenID]) -> [TokenID] {
        var parts = piece.map { [$0] }
        while true {
            var best: (rank: TokenID, at: Int)?
            for at in parts.indices.dropLast() {
                guard let rank = ranks[parts[at] + parts[at + 1]] else { continue }
                if best.map({ rank < $0.rank }) ?? true { best = (rank, at) }
            }
            guard let best else { return parts.map { ranks[$0] ?? -1 } }
            parts[best.at] += parts.remove(at: best.at + 1)
        }
    }

    @Test("takes a piece that is a token as a whole, although merges would not lead there")
    func wholePiece() throws {
        let tokenizer = try TokenizerFixtures.tokenizer(["abc"])
        #expect(tokenizer.encode("abc") == [256])
        #expect(tokenizer.encode("abcd") == [97, 98, 99, 100])
    }

    @Test("merges the lowest rank first, and of equals the leftmost")
    func mergeOrder() throws {
        let tokenizer = try TokenizerFixtures.tokenizer(["bc", "ab", "aa"])
        #expect(tokenizer.encode("abcx") == [97, 256, 120])
        #expect(tokenizer.encode("aaab") == [258, 257])
        #expect(tokenizer.encode("aaaaa") == [258, 258, 97])
    }

    @Test("short and long pieces agree with the definition, for vocabularies in any order of ranks")
    func agreesWithDefinition() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            var tokens = Set<[UInt8]>()
            for _ in 0..<60 {
                let count = Int.random(in: 2...12, using: &generator)
                tokens.insert((0..<count).map { _ in UInt8.random(in: 97...99, using: &generator) })
            }
            let all = (TokenizerFixtures.bytesAnd([]) + tokens.sorted { $0.lexicographicallyPrecedes($1) })
                .shuffled(using: &generator)
            let tokenizer = try Tokenizer(tokenizerModel: TokenizerFixtures.model(all))
            let ranks = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1, TokenID($0)) })
            for count in [1, 2, 3, 15, 16, 17, 31, 64, 126, 127, 128, 129, 130, 200, 300] {
                let piece = (0..<count).map { _ in UInt8.random(in: 97...99, using: &generator) }
                let expected = ranks[piece].map { [$0] } ?? reference(piece, ranks)
                #expect(tokenizer.encode(String(decoding: piece, as: UTF8.self)) == expected)
            }
        }
    }

    @Test("a megabyte without a split is encoded in less than quadratic time", .timeLimit(.minutes(1)))
    func longPiece() throws {
        let tokenizer = try Tokenizer(directory: TokenizerFixtures.tiny)
        let text = String(repeating: "abcdefghijklmnopqrstuvwxyz", count: 40_330)
        let ids = tokenizer.encode(text)
        #expect(tokenizer.decode(ids) == text)
        #expect(ids.count < text.utf8.count)
    }
}
