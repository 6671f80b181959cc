import FacetTokenizer
import Foundation

/// Vocabularies and reference files for the tests of this target.
enum TokenizerFixtures {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")
    static let tiny = folder.appendingPathComponent("tokenizer-tiny")

    /// The text of a `tokenizer.model` with these tokens, ranks in order.
    static func model(_ tokens: [[UInt8]]) -> [UInt8] {
        var text = ""
        for (rank, token) in tokens.enumerated() {
            text += Data(token).base64EncodedString() + " \(rank)\n"
        }
        return Array(text.utf8)
    }

    /// The 256 single bytes in their order, then these tokens.
    static func bytesAnd(_ tokens: [String]) -> [[UInt8]] {
        (0...255).map { [UInt8($0)] } + tokens.map { Array($0.utf8) }
    }

    /// A tokenizer of the 256 bytes and these tokens; the first special token has id 256 + their count.
    static func tokenizer(_ tokens: [String] = []) throws -> Tokenizer {
        try Tokenizer(tokenizerModel: model(bytesAnd(tokens)))
    }

    /// A `tokenizer_config.json` with the published special tokens from `firstID` on.
    static func configuration(firstID: Int, extra: String = "") -> [UInt8] {
        let entries = SpecialToken.allCases.enumerated().map { offset, token in
            #""\#(firstID + offset)": {"content": "\#(token.rawValue)", "special": true}"#
        }
        return Array(#"{"added_tokens_decoder": {\#(entries.joined(separator: ", "))}\#(extra)}"#.utf8)
    }
}

/// A small seeded generator (SplitMix64), so that random tests repeat.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
