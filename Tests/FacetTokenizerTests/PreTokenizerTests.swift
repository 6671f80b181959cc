import FacetTokenizer
import Testing

@Suite("Splitting")
struct PreTokenizerTests {
    @Test(
        "follows the pattern alternative by alternative",
        arguments: [
            ("Hello world", ["Hello", " world"]),
            (
                "I've we'LL he'S it'ſ o'x 'REd",
                ["I", "'ve", " we", "'LL", " he", "'S", " it", "'ſ", " o", "'x", " '", "REd"]
            ),
            ("'", ["'"]),
            ("'v", ["'v"]),
            ("12345 67", ["123", "45", " ", "67"]),
            ("a1b", ["a", "1", "b"]),
            ("  a", [" ", " a"]),
            ("a  ", ["a", "  "]),
            ("a   1", ["a", "  ", " ", "1"]),
            (" \n \n  x", [" \n \n", " ", " x"]),
            ("\n\r\na", ["\n\r\n", "a"]),
            ("\u{85}a", ["\u{85}a"]),
            ("\u{2028}\u{2028}!", ["\u{2028}", "\u{2028}", "!"]),
            ("foo();\n\n  bar", ["foo", "();\n\n", " ", " bar"]),
            (" !!\r\n", [" !!\r\n"]),
            ("\t!!", ["\t", "!!"]),
            ("!你好", ["!你好"]),
            ("你好，世界。", ["你好", "，世界", "。"]),
            ("😀a", ["😀a"]),
            ("e\u{301}a", ["e", "\u{301}a"]),
            ("½٣४५", ["½٣४", "५"]),
            ("\u{200B}a", ["\u{200B}a"]),
            ("", []),
        ])
    func pieces(text: String, expected: [String]) {
        #expect(Tokenizer.pieces(of: text) == expected)
    }

    @Test("gives every scalar the class it has in the model's own tokenizer")
    func classCounts() {
        var counts = ["letter": 0, "number": 0, "space": 0]
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            if Tokenizer.pieces(of: "a\(scalar)").count == 1 {
                counts["letter", default: 0] += 1
            } else if Tokenizer.pieces(of: "1\(scalar)").count == 1 {
                counts["number", default: 0] += 1
            } else if Tokenizer.pieces(of: "!\(scalar)!").count != 1 && scalar != "\n" && scalar != "\r" {
                counts["space", default: 0] += 1
            }
        }
        // The head of the generated table says the same; \r and \n are the other two of 25.
        #expect(counts == ["letter": 141_028, "number": 1_911, "space": 23])
    }

    @Test("splits without losing or inventing anything, and in linear time for long runs")
    func piecesJoinToTheText() {
        var generator = SeededGenerator(seed: 2)
        let alphabet = Array("aZß你0９٣ \t\n\r\u{85}\u{3000}'!。\u{301}😀\u{0}")
        for _ in 0..<2000 {
            let count = Int.random(in: 0...30, using: &generator)
            let text = String((0..<count).compactMap { _ in alphabet.randomElement(using: &generator) })
            let pieces = Tokenizer.pieces(of: text)
            #expect(pieces.joined() == text)
            #expect(!pieces.contains(""))
        }
        let spaces = String(repeating: " ", count: 1 << 20)
        #expect(Tokenizer.pieces(of: spaces + "a").map(\.utf8.count) == [(1 << 20) - 1, 2])
    }
}
