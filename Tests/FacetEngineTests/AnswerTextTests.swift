import FacetEngine
import FacetTokenizer
import Testing

@Suite("Stop strings")
struct StopStringFilterTests {
    /// Everything that is shown of pieces, and whether they stopped.
    private func shown(_ pieces: [String], stops: [String]) -> (text: String, isStopped: Bool) {
        var filter = StopStringFilter(stops)
        var text = ""
        for piece in pieces {
            let (part, isStopped) = filter.append(piece)
            text += part
            if isStopped { return (text, true) }
        }
        return (text + filter.finish(), false)
    }

    @Test("passes everything on at once without stop strings")
    func none() {
        var filter = StopStringFilter([])
        #expect(filter.append("abc") == ("abc", false))
        #expect(filter.finish().isEmpty)
    }

    @Test("holds back what may begin a stop string, and no more")
    func holdingBack() {
        var filter = StopStringFilter(["END."])
        #expect(filter.append("the EN") == ("the ", false))
        #expect(filter.append("D") == ("", false))
        #expect(filter.append("E") == ("END", false))
        #expect(filter.append("ND.x") == ("", true))
    }

    @Test(
        "cuts the same way however the text is cut into pieces",
        arguments: [
            ("one two three", ["two"], "one ", true), ("one two three", ["four"], "one two three", false),
            ("aaab", ["aab"], "a", true), ("ababac", ["abac"], "ab", true), ("xx", ["xxx"], "xx", false),
            ("abc", ["abc", "b"], "a", true), ("abc", ["bc", "abc"], "", true), ("你好世界", ["世"], "你好", true),
            ("caf\u{65}\u{301}!", ["\u{301}"], "cafe", true), ("👩‍👧x", ["👧"], "👩\u{200D}", true),
        ])
    func everyCut(text: String, stops: [String], expected: String, isStopped: Bool) {
        let scalars = Array(text.unicodeScalars)
        // Every way to cut the scalars into pieces.
        for mask in 0..<(1 << (scalars.count - 1)) {
            var pieces = [""]
            for (index, scalar) in scalars.enumerated() {
                pieces[pieces.count - 1].unicodeScalars.append(scalar)
                if index < scalars.count - 1 && mask >> index & 1 == 1 { pieces.append("") }
            }
            let result = shown(pieces, stops: stops)
            #expect(Array(result.text.utf8) == Array(expected.utf8) && result.isStopped == isStopped, "\(pieces)")
        }
    }

    @Test("shows what was held back when the text ends")
    func flushing() {
        var filter = StopStringFilter(["stop"])
        #expect(filter.append("a sto") == ("a ", false))
        #expect(filter.finish() == "sto")
        #expect(filter.finish().isEmpty)
    }
}

@Suite("Answer text")
struct AnswerTextTests {
    private func pieces(_ text: String, stops: [String] = []) throws -> (pieces: [String], isStopped: Bool) {
        var answer = AnswerText(tokenizer: try byteTokenizer(), stopStrings: stops)
        var pieces: [String] = []
        for byte in text.utf8 {
            let (piece, isStopped) = answer.append(Int32(byte))
            pieces.append(piece)
            if isStopped { return (pieces, true) }
        }
        let (rest, isStopped) = answer.finish()
        #expect(answer.text == pieces.joined() + rest)
        return (pieces + [rest], isStopped)
    }

    @Test("drops white space before the first word only")
    func leadingSpace() throws {
        #expect(try pieces("\n \u{3000}a b\n").pieces.joined() == "a b\n")
        #expect(try pieces(" \n\t").pieces.joined().isEmpty)
    }

    @Test("does not take the white space that it drops for a stop string")
    func newlineStop() throws {
        let (shown, isStopped) = try pieces("\nyes\nno", stops: ["\n"])
        #expect(shown.joined() == "yes" && isStopped)
    }

    @Test("releases characters whole, one token per byte")
    func wholeCharacters() throws {
        #expect(try pieces("é你😀").pieces == ["", "é", "", "", "你", "", "", "", "😀", ""])
    }

    @Test("finds a stop string of several bytes per character across tokens")
    func multiByteStop() throws {
        let (shown, isStopped) = try pieces("答案：猫。狗", stops: ["猫。"])
        #expect(shown.joined() == "答案：" && isStopped)
    }

    @Test("shows an incomplete character as U+FFFD when the answer ends")
    func incompleteTail() throws {
        var answer = AnswerText(tokenizer: try byteTokenizer(), stopStrings: [])
        #expect(answer.append(0xE4).text.isEmpty)
        #expect(answer.finish().text == "\u{FFFD}")
    }
}
