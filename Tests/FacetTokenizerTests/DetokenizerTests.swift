import FacetJSON
import FacetTokenizer
import Foundation
import Testing

@Suite("Detokenizer")
struct DetokenizerTests {
    @Test("holds back the beginning of a character until it is whole")
    func holdsBack() throws {
        var detokenizer = Detokenizer(try TokenizerFixtures.tokenizer())
        let parts = Array("a你😀é".utf8).map { detokenizer.append(TokenID($0)) }
        #expect(parts == ["a", "", "", "你", "", "", "", "😀", "", "é"])
        #expect(detokenizer.finish() == "")
    }

    @Test("gives up on a character as soon as it cannot become whole")
    func givesUp() throws {
        var detokenizer = Detokenizer(try TokenizerFixtures.tokenizer())
        #expect(detokenizer.append(0xE4) == "")
        #expect(detokenizer.append(0x41) == "\u{FFFD}A")
        #expect(detokenizer.append(0xED) == "")
        #expect(detokenizer.append(0xA0) == "\u{FFFD}\u{FFFD}")  // half of a surrogate pair
        #expect(detokenizer.append(0xF0) == "")
        #expect(detokenizer.finish() == "\u{FFFD}")
        #expect(detokenizer.finish() == "")
    }

    @Test("replaces invalid bytes as Python does, at once and byte by byte")
    func replacement() throws {
        let tokenizer = try TokenizerFixtures.tokenizer()
        let path = TokenizerFixtures.folder.appendingPathComponent("utf8-replacement/cases.json")
        let cases = try #require(try JSONValue(userText: [UInt8](try Data(contentsOf: path)), source: "cases").array)
        #expect(cases.count == 550)
        for json in cases {
            let hex = Array(try #require(json["bytes"]?.string))
            let text = try #require(json["text"]?.string)
            let ids = try stride(from: 0, to: hex.count, by: 2).map { at in
                TokenID(try #require(UInt8(String(hex[at...(at + 1)]), radix: 16)))
            }
            var detokenizer = Detokenizer(tokenizer)
            let streamed = ids.map { detokenizer.append($0) }.joined() + detokenizer.finish()
            #expect(Array(streamed.unicodeScalars) == Array(text.unicodeScalars))
            #expect(Array(tokenizer.decode(ids).unicodeScalars) == Array(text.unicodeScalars))
        }
    }

    @Test("skips special tokens, also in the middle of a character, and ids that mean nothing")
    func skipsSpecialTokens() throws {
        let tokenizer = try TokenizerFixtures.tokenizer()
        let special = tokenizer.specialTokens
        #expect(tokenizer.decode([special.user, 0xC3, special.assistant, 0xA9, special.endID, 9999, -1]) == "é")
    }

    @Test("shows special tokens with spaces between, and cuts a character there")
    func showsSpecialTokens() throws {
        let tokenizer = try TokenizerFixtures.tokenizer()
        let special = tokenizer.specialTokens
        let ids: [TokenID] = [
            special.generationMask, special.startOfPiece, 97, 98, special.user, 0xC3, special.user, 97,
        ]
        let shown = "[gMASK] <sop> ab <|user|> \u{FFFD} <|user|> a"
        #expect(tokenizer.decode(ids, specialTokens: .shown) == shown)
        var detokenizer = Detokenizer(tokenizer, specialTokens: .shown)
        #expect(ids.map { detokenizer.append($0) }.joined() + detokenizer.finish() == shown)
    }
}
