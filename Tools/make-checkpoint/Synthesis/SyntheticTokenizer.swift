import FacetCheckpoint
import FacetJSON
import Foundation

/// The special tokens of the GLM-4 vocabulary in the order of their ids.
enum SpecialTokens {
    static let names = [
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
    ]
}

/// A vocabulary of any length that a byte-pair encoder can use, and its configuration file.
package struct SyntheticTokenizer: Sendable {
    private let geometry: ModelGeometry

    /// Makes a tokenizer whose special tokens stand where the configuration says.
    package init(_ geometry: ModelGeometry) { self.geometry = geometry }

    /// The text of `tokenizer.model`: one line `base64 rank` per rank.
    ///
    /// First come the 256 bytes in the order of GPT-2, then all words of lowercase letters by length: each is a
    /// shorter one and a letter, so every rank can be reached by merging.
    package var vocabulary: String {
        var text = ""
        var rank = 0
        func add(_ bytes: [UInt8]) {
            text += "\(Data(bytes).base64EncodedString()) \(rank)\n"
            rank += 1
        }
        for byte in Self.byteOrder { add([byte]) }
        let letters = Array("etaoinshrdlucmfwygpbvkxqjz".utf8)
        var words = letters.map { [$0] }
        while rank < geometry.rankCount {
            var longer: [[UInt8]] = []
            for word in words {
                for letter in letters where rank < geometry.rankCount {
                    longer.append(word + [letter])
                    add(word + [letter])
                }
            }
            words = longer
        }
        return text
    }

    /// The text of `tokenizer_config.json`.
    package var configuration: String {
        let tokens = SpecialTokens.names.enumerated().map { place, name in
            "    \"\(geometry.rankCount + place)\": {\"content\": \(JSONValue.quoted(name)), \"lstrip\": false, "
                + "\"normalized\": false, \"rstrip\": false, \"single_word\": false, \"special\": true}"
        }
        let names = SpecialTokens.names.map { JSONValue.quoted($0) }.joined(separator: ", ")
        return """
            {
              "auto_map": {"AutoTokenizer": ["tokenization_chatglm.ChatGLM4Tokenizer", null]},
              "added_tokens_decoder": {
            \(tokens.joined(separator: ",\n"))
              },
              "additional_special_tokens": [\(names)],
              "clean_up_tokenization_spaces": false,
              "do_lower_case": false,
              "eos_token": "<|endoftext|>",
              "pad_token": "<|endoftext|>",
              "model_max_length": \(geometry.contextLength),
              "padding_side": "left",
              "remove_space": false,
              "tokenizer_class": "ChatGLM4Tokenizer",
              "image_size": \(geometry.imageSize)
            }

            """
    }

    /// All bytes: first those that GPT-2 shows as themselves, then the others.
    private static let byteOrder: [UInt8] = {
        let shown = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF) as [UInt8]
        return shown + (UInt8.min...UInt8.max).filter { !shown.contains($0) }
    }()
}
