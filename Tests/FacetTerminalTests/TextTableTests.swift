import FacetTerminal
import Testing

@Suite struct TextTableTests {
    @Test("aligns columns by terminal cells, not by characters")
    func alignment() {
        var table = TextTable([("name", .left), ("count", .right)])
        table.append(["图片", "7"])
        table.append(["a", "12345"])
        #expect(table.text == "name  count\n图片      7\na     12345\n")
    }

    @Test("leaves no blanks at line ends")
    func trailingBlanks() {
        var table = TextTable([("a", .left), ("b", .left)])
        table.append(["x"])
        #expect(table.text == "a  b\nx\n")
    }

    @Test("cuts a progress text to the terminal's width")
    func fitting() {
        #expect(ProgressLine.fitted("读取图片", to: 5) == "读取")
        #expect(ProgressLine.fitted("abc", to: 5) == "abc")
    }

    @Test(
        "knows the width of letters, ideographs, marks and emoji",
        arguments: [("a", 1), ("你", 2), ("e\u{301}", 1), ("😀", 2), ("\u{200B}", 0), ("한", 2), ("ｆ", 2)])
    func widths(_ text: String, _ cells: Int) {
        #expect(DisplayWidth.cells(text) == cells)
    }
}
