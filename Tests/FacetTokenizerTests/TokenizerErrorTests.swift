import FacetJSON
import FacetTokenizer
import Testing

@Suite("Tokenizer errors")
struct TokenizerErrorTests {
    @Test(
        "say what, where, expected and got in one line",
        arguments: [
            (
                TokenizerError.unreadableFile(path: "m/tokenizer.model", reason: "no such file"),
                ["m/tokenizer.model", "no such"]
            ),
            (.fileTooLarge(path: "x", byteCount: 9, limit: 8), ["x", "9", "8"]),
            (.emptyVocabulary, ["tokenizer.model", "empty"]), (.missingRank(line: 3), ["line 3", "rank"]),
            (.tooManyTokens(count: 9, limit: 8), ["9", "8"]),
            (.invalidBase64(line: 3), ["line 3", "base64"]), (.emptyToken(line: 3), ["line 3", "empty"]),
            (.invalidRank(line: 3, text: "x"), ["line 3", "\"x\""]),
            (.rankGap(line: 3, rank: 7, rankCount: 5), ["line 3", "7", "0 to 4"]),
            (.duplicateRank(line: 3, rank: 7), ["line 3", "rank 7"]),
            (.duplicateToken(line: 3, rank: 7, earlierRank: 2), ["line 3", "7", "2"]), (.missingByte(200), ["200"]),
            (.invalidJSON(source: "s", .trailingContent(offset: 4)), ["s", "4"]),
            (.invalidConfiguration(key: "k", expected: "e", got: "g"), ["k", "e", "g", "tokenizer_config.json"]),
            (.specialTokenID(token: "t", expected: 1, got: 2), ["\"t\"", "expected 1", "2"]),
            (.missingSpecialToken("t"), ["\"t\"", "added_tokens_decoder"]), (.invalidUTF8(offset: 5), ["offset 5"]),
            (.unknownRole("tool"), ["\"tool\"", "observation"]),
            (.secondImage(message: 2), ["message 2", "one image"]),
            (.invalidTool(message: 2, reason: "r"), ["message 2", "r"]),
        ])
    func descriptions(error: TokenizerError, parts: [String]) {
        for part in parts { #expect(error.description.contains(part)) }
        #expect(!error.description.contains("\n"))
    }
}
