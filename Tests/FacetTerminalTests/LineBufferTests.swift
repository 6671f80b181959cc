import FacetTerminal
import Testing

@Suite struct LineBufferTests {
    private func typed(_ keys: [Key], history: [String] = []) -> LineBuffer {
        var buffer = LineBuffer(history: history)
        for key in keys { _ = buffer.handle(key) }
        return buffer
    }

    private func characters(_ text: String) -> [Key] { text.map { .character($0) } }

    @Test("inserts at the cursor")
    func insertion() {
        let buffer = typed(characters("ac") + [.left] + characters("b"))
        #expect(buffer.text == "abc")
        #expect(buffer.cursor == 2)
    }

    @Test("deletes whole characters, however many bytes they have")
    func deletion() {
        #expect(typed(characters("你好👍🏽") + [.backspace]).text == "你好")
        #expect(typed(characters("你好") + [.home, .delete]).text == "好")
        #expect(typed([.backspace, .delete]).text == "")
    }

    @Test("joins a combining mark to its letter")
    func combining() {
        let buffer = typed([.character("e"), .character("\u{301}"), .backspace])
        #expect(buffer.text == "")
    }

    @Test("understands the usual control keys")
    func controlKeys() {
        #expect(typed(characters("one two") + [.control("w")]).text == "one ")
        #expect(typed(characters("one two") + [.control("u")]).text == "")
        #expect(typed(characters("one two") + [.control("a"), .control("k")]).text == "")
        #expect(typed(characters("ab") + [.control("a")] + characters("x")).text == "xab")
    }

    @Test("walks through history and back to the unfinished line")
    func history() {
        let past = ["first", "second"]
        #expect(typed(characters("x") + [.up], history: past).text == "second")
        #expect(typed(characters("x") + [.up, .up, .up], history: past).text == "first")
        #expect(typed(characters("x") + [.up, .down], history: past).text == "x")
    }

    @Test("says how a line ends")
    func ends() {
        var buffer = typed(characters("hi"))
        #expect(buffer.handle(.enter) == .submit("hi"))
        #expect(buffer.handle(.control("c")) == .cancel)
        #expect(buffer.handle(.control("d")) == .redraw)
        var empty = LineBuffer()
        #expect(empty.handle(.control("d")) == .endOfInput)
    }
}
