import FacetTokenizer
import Testing

@Suite("Special tokens")
struct SpecialTokenTests {
    private func tokenizer(_ configuration: [UInt8]) throws -> Tokenizer {
        try Tokenizer(
            tokenizerModel: TokenizerFixtures.model(TokenizerFixtures.bytesAnd([])), configuration: configuration)
    }

    private func tokenizer(_ configuration: String) throws -> Tokenizer {
        try tokenizer(Array(configuration.utf8))
    }

    @Test("follow the ranks in the published order when nothing lists them")
    func publishedOrder() {
        let tokens = SpecialTokens(rankCount: 151_329)
        #expect(tokens.endOfText == 151_329)
        #expect(tokens.generationMask == 151_331)
        #expect(tokens.startOfPiece == 151_333)
        #expect(tokens.system == 151_335)
        #expect(tokens.user == 151_336)
        #expect(tokens.assistant == 151_337)
        #expect(tokens.observation == 151_338)
        #expect(tokens.imagePlaceholder == [151_339, 151_329, 151_340])
        #expect(tokens.id(of: .endOfVideo) == 151_342)
        #expect(tokens.endID == 151_343)
        #expect(tokens.name(of: 151_330) == "[MASK]")
        #expect(tokens.name(of: 151_328) == nil)
        #expect(tokens.name(of: 151_343) == nil)
    }

    @Test("are taken from the configuration when it lists them")
    func configured() throws {
        let tokenizer = try tokenizer(TokenizerFixtures.configuration(firstID: 256, extra: #", "image_size": 168"#))
        #expect(tokenizer.specialTokens == SpecialTokens(rankCount: 256))
        #expect(tokenizer.imageSize == 168)
        let empty = try self.tokenizer("{}")
        #expect(empty.specialTokens == SpecialTokens(rankCount: 256))
        #expect(empty.imageSize == nil)
    }

    @Test("of a configuration for another vocabulary are refused")
    func otherVocabulary() {
        let error = TokenizerError.specialTokenID(token: "<|endoftext|>", expected: 256, got: 3000)
        #expect(throws: error) { try tokenizer(TokenizerFixtures.configuration(firstID: 3000)) }
    }

    @Test("with a gap or a missing role are refused")
    func gapAndMissing() {
        let text = String(decoding: TokenizerFixtures.configuration(firstID: 256), as: UTF8.self)
        #expect(throws: TokenizerError.specialTokenID(token: "<|end_of_video|>", expected: 269, got: 270)) {
            try tokenizer(text.replacing(#""269""#, with: #""270""#))
        }
        #expect(throws: TokenizerError.missingSpecialToken("<|user|>")) {
            try tokenizer(text.replacing("<|user|>", with: "<|guest|>"))
        }
        let twice = TokenizerError.invalidConfiguration(
            key: "added_tokens_decoder", expected: "each token once", got: "<|system|> twice")
        #expect(throws: twice) { try tokenizer(text.replacing("<|user|>", with: "<|system|>")) }
    }

    @Test(
        "and sizes of the wrong kind are refused by key",
        arguments: [
            (#"{"added_tokens_decoder": []}"#, "added_tokens_decoder"),
            (#"{"added_tokens_decoder": {"x": {"content": "a"}}}"#, #"added_tokens_decoder["x"]"#),
            (#"{"added_tokens_decoder": {"-1": {"content": "a"}}}"#, #"added_tokens_decoder["-1"]"#),
            (#"{"added_tokens_decoder": {"0256": {"content": "a"}}}"#, #"added_tokens_decoder["0256"]"#),
            (#"{"added_tokens_decoder": {"256": {"content": 1}}}"#, #"added_tokens_decoder["256"].content"#),
            (#"{"added_tokens_decoder": {"256": "a"}}"#, #"added_tokens_decoder["256"].content"#),
            (#"{"image_size": "112"}"#, "image_size"), (#"{"image_size": 0}"#, "image_size"),
            (#"{"image_size": 112.5}"#, "image_size"), (#"{"padding_side": "right"}"#, "padding_side"),
            ("[]", "the file"),
        ])
    func wrongKinds(configuration: String, key: String) {
        #expect(
            performing: { try tokenizer(configuration) },
            throws: { error in
                guard case TokenizerError.invalidConfiguration(let got, _, _) = error else { return false }
                return got == key
            })
    }
}
