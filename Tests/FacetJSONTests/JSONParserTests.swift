import FacetJSON
import Testing

@Suite("The JSON reader") struct JSONParserTests {
    private func parse(_ text: String, depth: Int = 64) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), limits: JSONValue.Limits(depth: depth))
    }

    private func refuses(
        _ text: String, _ error: JSONError, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: error, sourceLocation: sourceLocation) { try parse(text) }
    }

    @Test("keeps order, nesting and whitespace apart")
    func structure() throws {
        let value = try parse(" {\"b\" : [1, true ,null],\r\n\t\"a\":{\"\":\"x\"}, \"c\":[]} ")
        #expect(value.object?.members.map(\.key) == ["b", "a", "c"])
        #expect(value["b"]?.array?.count == 3)
        #expect(value["b"]?.array?[1].bool == true)
        #expect(value["b"]?.array?[2].isNull == true)
        #expect(value["a"]?[""]?.string == "x")
        #expect(value.text == #"{"b":[1,true,null],"a":{"":"x"},"c":[]}"#)
    }

    @Test("finds members of large objects")
    func largeObject() throws {
        let text = "{" + (0..<500).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        let value = try parse(text)
        for index in 0..<500 { #expect(value["k\(index)"]?.integer == index) }
        #expect(value["k500"] == nil)
        refuses(text.dropLast() + ",\"k7\":0}", .duplicateKey("k7", offset: text.utf8.count))
    }

    @Test("keeps the digits of numbers")
    func numbers() throws {
        #expect(try parse("0.00000015625").double == 1.5625e-07)
        #expect(try parse("1.5625e-07").double == 1.5625e-07)
        #expect(try parse("0.00000015625").integer == nil)
        #expect(try parse("500").integer == 500)
        #expect(try parse("500").double == 500)
        #expect(try parse("500.0").integer == nil)
        #expect(try parse("5e2").integer == nil)
        #expect(try parse("-9223372036854775808").integer == .min)
        #expect(try parse("9223372036854775808").integer == nil)
        #expect(try parse("-0").integer == 0)
        #expect(try parse("1E+2").double == 100)
        #expect(try parse("1e999").double == nil)
        #expect(try parse("true").integer == nil)
        #expect(try parse("\"5\"").integer == nil)
    }

    @Test("refuses malformed numbers", arguments: ["-", "01", "1.", "1.e2", "1e", "1e+", "-a", "-01"])
    func malformedNumbers(_ text: String) {
        refuses(text, .invalidNumber(offset: 0))
    }

    @Test("refuses numbers that only look like numbers", arguments: [".5", "+1", "NaN", "Infinity", "0x10"])
    func otherNumbers(_ text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test("decodes escapes and surrogate pairs")
    func escapes() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\u4F60""#).string == "\"\\/\u{8}\u{C}\n\r\tAé你")
        #expect(try parse(#""\ud83d\ude00""#).string == "😀")
        #expect(try parse("\"😀 你好\"").string == "😀 你好")
        #expect(try parse(#""\u0000""#).string == "\0")
    }

    @Test("refuses halves of surrogate pairs", arguments: [#"\ud83d"#, #"\ude00"#, #"\ud83d\u0041"#, #"\ud83dx"#])
    func loneSurrogates(_ escape: String) {
        refuses("\"\(escape)\"", .loneSurrogate(offset: 1))
    }

    @Test("refuses escapes that are none", arguments: [#"\x"#, #"\u12g4"#, #"\'"#])
    func invalidEscapes(_ escape: String) {
        refuses("\"\(escape)\"", .invalidEscape(offset: 1))
    }

    @Test("refuses raw control characters")
    func controlCharacters() {
        refuses("\"a\nb\"", .controlCharacter(offset: 2))
    }

    @Test(
        "refuses strings that are not UTF-8",
        arguments: [[0x80], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]])
    func notUTF8(_ bytes: [UInt8]) {
        #expect(throws: JSONError.notUTF8(offset: 0)) { try JSONValue(parsing: [0x22] + bytes + [0x22]) }
    }

    @Test("refuses documents that are cut")
    func unexpectedEnd() {
        refuses("", .unexpectedEnd(expected: "a value"))
        refuses("[1,", .unexpectedEnd(expected: "a value"))
        refuses("[1", .unexpectedEnd(expected: "',' or ']'"))
        refuses("{\"a\"", .unexpectedEnd(expected: "':'"))
        refuses("\"a", .unexpectedEnd(expected: "the end of a string"))
        refuses("tru", .unexpectedEnd(expected: "true"))
    }

    @Test("refuses what is not JSON, telling the byte")
    func unexpectedByte() {
        refuses("[1,]", .unexpectedByte(offset: 3, expected: "a value", got: UInt8(ascii: "]")))
        refuses("{\"a\":1,}", .unexpectedByte(offset: 7, expected: "a key", got: UInt8(ascii: "}")))
        refuses("{a:1}", .unexpectedByte(offset: 1, expected: "a key", got: UInt8(ascii: "a")))
        refuses("nul1", .unexpectedByte(offset: 3, expected: "null", got: UInt8(ascii: "1")))
        refuses("// x", .unexpectedByte(offset: 0, expected: "a value", got: UInt8(ascii: "/")))
        refuses("\u{FEFF}{}", .unexpectedByte(offset: 0, expected: "a value", got: 0xEF))
    }

    @Test("refuses what follows the document")
    func trailingContent() {
        refuses("{} {}", .trailingContent(offset: 3))
        refuses("1 2", .trailingContent(offset: 2))
    }

    @Test("refuses duplicate keys, however they are written")
    func duplicateKeys() {
        refuses(#"{"a":1,"b":2,"\u0061":3}"#, .duplicateKey("a", offset: 13))
    }

    @Test("refuses documents that are too deep or too long, without exhausting the stack")
    func limits() throws {
        #expect(try parse("[[[]]]", depth: 3).array != nil)
        #expect(throws: JSONError.tooDeep(offset: 3, limit: 3)) { try parse("[[[[]]]]", depth: 3) }
        refuses(String(repeating: "[", count: 1_000_000), .tooDeep(offset: 64, limit: 64))
        #expect(throws: JSONError.tooLarge(byteCount: 3, limit: 2)) {
            try JSONValue(parsing: Array("[1]".utf8), limits: JSONValue.Limits(byteCount: 2))
        }
    }

    @Test("refuses documents of more values than memory should hold")
    func valueCount() throws {
        let limits = JSONValue.Limits(valueCount: 4)
        #expect(try JSONValue(parsing: Array("[1,2,3]".utf8), limits: limits).array?.count == 3)
        #expect(throws: JSONError.tooManyValues(offset: 7, limit: 4)) {
            try JSONValue(parsing: Array("[1,2,3,{}]".utf8), limits: limits)
        }
    }

    @Test("writes strings that it reads back")
    func quoting() throws {
        let text = "a\"\\\n\r\t\u{1}\u{1F}é你😀"
        #expect(try parse(JSONValue.quoted(text)).string == text)
    }
}
