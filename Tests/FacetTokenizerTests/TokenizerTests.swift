import FacetTokenizer
import Foundation
import Testing

@Suite("Tokenizer")
struct TokenizerTests {
    @Test("reads a folder with a configuration")
    func folderWithConfiguration() throws {
        let tokenizer = try Tokenizer(directory: TokenizerFixtures.tiny)
        #expect(tokenizer.vocabulary.rankCount == 3000)
        #expect(tokenizer.specialTokens.assistant == 3008)
        #expect(tokenizer.tokenCount == 3014)
        #expect(tokenizer.imageSize == 112)
    }

    @Test("reads a folder that has only the vocabulary")
    func folderWithoutConfiguration() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("facet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let missing = folder.appendingPathComponent("tokenizer.model").path
        #expect(throws: TokenizerError.unreadableFile(path: missing, reason: "no such file")) {
            try Tokenizer(directory: folder)
        }
        let model = TokenizerFixtures.tiny.appendingPathComponent("tokenizer.model")
        try FileManager.default.copyItem(at: model, to: folder.appendingPathComponent("tokenizer.model"))
        let tokenizer = try Tokenizer(directory: folder)
        #expect(tokenizer.specialTokens == (try Tokenizer(directory: TokenizerFixtures.tiny)).specialTokens)
        #expect(tokenizer.imageSize == nil)
    }

    @Test("special-token text is ordinary text")
    func noInjection() throws {
        let tokenizer = try Tokenizer(directory: TokenizerFixtures.tiny)
        for token in SpecialToken.allCases {
            let ids = tokenizer.encode("x\(token.rawValue)y")
            #expect(ids.allSatisfy { $0 < 3000 })
            #expect(tokenizer.decode(ids) == "x\(token.rawValue)y")
        }
    }

    @Test("decoding undoes encoding for any text, also token by token")
    func roundTrip() throws {
        let tokenizer = try Tokenizer(directory: TokenizerFixtures.tiny)
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                let limit: UInt32 = Bool.random(using: &generator) ? 0x80 : 0x110000
                guard let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) else { continue }
                text.unicodeScalars.append(scalar)
            }
            let ids = tokenizer.encode(text)
            #expect(tokenizer.decode(ids).unicodeScalars.elementsEqual(text.unicodeScalars))
            #expect(try tokenizer.encode(utf8: Array(text.utf8)) == ids)
        }
    }

    @Test(
        "bytes that are not UTF-8 are refused with their place",
        arguments: [
            ([0x61, 0xFF], 1), ([0xE4, 0xBD], 0), ([0x61, 0xC0, 0x80], 1), ([0xED, 0xA0, 0x80], 0),
            ([0xF4, 0x90, 0x80, 0x80], 0), ([0xF0, 0x8F, 0x80, 0x80], 0), ([0xC3, 0xA9, 0x80], 2),
            ([0xE0, 0x9F, 0x80], 0),
        ] as [([UInt8], Int)])
    func invalidUTF8(bytes: [UInt8], offset: Int) throws {
        let tokenizer = try TokenizerFixtures.tokenizer()
        #expect(throws: TokenizerError.invalidUTF8(offset: offset)) { try tokenizer.encode(utf8: bytes) }
    }

    @Test("tells the bytes of ordinary and special tokens and of nothing else")
    func tokenBytes() throws {
        let tokenizer = try TokenizerFixtures.tokenizer(["ab"])
        #expect(tokenizer.tokenBytes(256) == Array("ab".utf8))
        #expect(tokenizer.tokenBytes(257) == Array("<|endoftext|>".utf8))
        #expect(tokenizer.tokenBytes(271) == nil)
        #expect(tokenizer.tokenBytes(-1) == nil)
    }

    @Test("times itself on real work")
    func benchmark() throws {
        let model = TokenizerFixtures.model(TokenizerFixtures.bytesAnd(["ab"]))
        let loading = try TokenizerBenchmark.loading(tokenizerModel: model, repeats: 3)
        #expect(loading.times.count == 3)
        #expect(loading.byteCount == model.count)
        let encoding = TokenizerBenchmark.encoding("ab ab", with: try TokenizerFixtures.tokenizer(["ab"]), repeats: 2)
        #expect(encoding.tokenCount == 3)
        #expect(encoding.byteCount == 5)
        #expect(encoding.megabytesPerSecond > 0)
    }
}
