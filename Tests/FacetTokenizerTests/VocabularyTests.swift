import FacetTokenizer
import Foundation
import Testing

@Suite("Vocabulary")
struct VocabularyTests {
    private func vocabulary(_ lines: [String]) throws(TokenizerError) -> Vocabulary {
        try Vocabulary(tokenizerModel: Array(lines.joined(separator: "\n").utf8))
    }

    private let byteLines = (0...255).map { "\(Data([UInt8($0)]).base64EncodedString()) \($0)" }

    @Test("finds every token by its bytes and the bytes by id")
    func looksUpBothWays() throws {
        let tokens = TokenizerFixtures.bytesAnd(["ab", "abc", "abcd", "abcdefg", "abcdefgh", "abcdefghi", "你好，世界！"])
        let vocabulary = try Vocabulary(tokenizerModel: TokenizerFixtures.model(tokens))
        #expect(vocabulary.rankCount == tokens.count)
        #expect(vocabulary.longestTokenByteCount == 18)
        for (rank, token) in tokens.enumerated() {
            #expect(vocabulary.id(of: token) == TokenID(rank))
            #expect(vocabulary.bytes(of: TokenID(rank)).map(Array.init) == token)
        }
        #expect(vocabulary.id(of: Array("abcde".utf8)) == nil)
        #expect(vocabulary.id(of: Array("abcdefghj".utf8)) == nil)
        #expect(vocabulary.id(of: []) == nil)
        #expect(vocabulary.bytes(of: -1) == nil)
        #expect(vocabulary.bytes(of: TokenID(tokens.count)) == nil)
    }

    @Test("takes lines in any order, with carriage returns and empty lines")
    func lineOrderIsFree() throws {
        let lines = byteLines.reversed().flatMap { [$0 + "\r", "", "\r"] }
        let vocabulary = try vocabulary(lines)
        #expect(vocabulary.rankCount == 256)
        #expect(vocabulary.id(of: [7]) == 7)
    }

    @Test("refuses an empty file", arguments: [[], [""], ["", "\r", ""]])
    func empty(lines: [String]) {
        #expect(throws: TokenizerError.emptyVocabulary) { try vocabulary(lines) }
    }

    @Test(
        "refuses each malformed line with its number",
        arguments: [
            ("YWI=", TokenizerError.missingRank(line: 257)),
            ("YWI 256", .invalidBase64(line: 257)),
            ("YW*= 256", .invalidBase64(line: 257)),
            ("YWJ= 256", .invalidBase64(line: 257)),  // bits behind the last byte
            ("YW== 256", .invalidBase64(line: 257)),  // the same with one byte
            ("Y=== 256", .invalidBase64(line: 257)),
            ("YQ==YWI= 256", .invalidBase64(line: 257)),
            ("===== 256", .invalidBase64(line: 257)),
            (" 256", .emptyToken(line: 257)),
            ("YWI= ", .invalidRank(line: 257, text: "")),
            ("YWI= -1", .invalidRank(line: 257, text: "-1")),
            ("YWI= +256", .invalidRank(line: 257, text: "+256")),
            ("YWI= 0256", .invalidRank(line: 257, text: "0256")),
            ("YWI= 25x", .invalidRank(line: 257, text: "25x")),
            ("YWI= 256 ", .invalidRank(line: 257, text: "256 ")),
            ("YWI=  256", .invalidRank(line: 257, text: " 256")),
            ("YWI= 9999999999", .invalidRank(line: 257, text: "9999999999")),
            ("YWI= 257", .rankGap(line: 257, rank: 257, rankCount: 257)),
            ("YWI= 3", .duplicateRank(line: 257, rank: 3)),
            ("YQ== 256", .duplicateToken(line: 257, rank: 256, earlierRank: 97)),
        ])
    func malformedLine(line: String, error: TokenizerError) {
        #expect(throws: error) { try vocabulary(byteLines + [line]) }
    }

    @Test("refuses a vocabulary without one of the single bytes")
    func missingByte() {
        let lines = byteLines.dropLast() + ["YWI= 255"]
        #expect(throws: TokenizerError.missingByte(255)) { try vocabulary(Array(lines)) }
    }

    @Test("a file cut at any byte is an error or a shorter vocabulary, never a crash")
    func truncation() {
        let model = TokenizerFixtures.model(TokenizerFixtures.bytesAnd(["ab"]))
        var accepted: [Int] = []
        for count in 0..<model.count {
            if (try? Vocabulary(tokenizerModel: Array(model.prefix(count)))) != nil { accepted.append(count) }
        }
        // Without its line end, without its last line, and without that line's end the file is still whole.
        #expect(accepted == [model.count - 10, model.count - 9, model.count - 1])
    }

    @Test("random changes of a file never crash and keep every promise when accepted")
    func mutation() throws {
        var generator = SeededGenerator(seed: 1)
        let original = TokenizerFixtures.model(TokenizerFixtures.bytesAnd(["ab", "abc", "hello"]))
        var acceptedCount = 0
        for _ in 0..<2000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                }
            }
            guard let vocabulary = try? Vocabulary(tokenizerModel: bytes) else { continue }
            acceptedCount += 1
            for id in 0..<TokenID(vocabulary.rankCount) {
                let token = try #require(vocabulary.bytes(of: id))
                #expect(vocabulary.id(of: Array(token)) == id)
            }
        }
        #expect(acceptedCount < 2000)
    }
}
