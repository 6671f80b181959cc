import FacetJSON
import FacetTokenizer
import Testing

@Suite("JSON as Python writes it")
struct PythonJSONTests {
    private func parse(_ text: String) throws(TokenizerError) -> JSONValue {
        try JSONValue(userText: Array(text.utf8), source: "test")
    }

    @Test("keeps keys in order and numbers as written")
    func keepsOrder() throws {
        let value = try parse(#" { "b" : [1, 2.50, -0] , "a" : {"x": null, "y": true, "z": false} } "#)
        #expect(value.object?.members.map(\.key) == ["b", "a"])
        #expect(value["b"]?.array?.map(\.text) == ["1", "2.50", "-0"])
        #expect(value["a"]?["y"]?.bool == true)
        #expect(value["c"] == nil)
        #expect(value["b"]?.array?.first?.integer == 1)
    }

    @Test(
        "reads every escape",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u4F60""#, "é你"), (#""\ud83d\ude00""#, "😀"),
            (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"), (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""é""#, "é"),
        ])
    func escapes(text: String, expected: String) throws {
        #expect(try parse(text).string == expected)
    }

    @Test(
        "refuses what is not JSON and says where",
        arguments: [
            ("[1,]", JSONError.unexpectedByte(offset: 3, expected: "a value", got: UInt8(ascii: "]"))),
            (#"{"a":1,"a":2}"#, .duplicateKey("a", offset: 7)), ("01", .invalidNumber(offset: 0)),
            (#""\x""#, .invalidEscape(offset: 1)), ("1 2", .trailingContent(offset: 2)),
        ])
    func malformed(text: String, error: JSONError) {
        #expect(throws: TokenizerError.invalidJSON(source: "test", error)) { try parse(text) }
    }

    @Test("refuses bytes that are not UTF-8 and nesting without end")
    func hostile() {
        #expect(throws: TokenizerError.self) { try JSONValue(userText: [0x22, 0xFF, 0x22], source: "test") }
        #expect(throws: TokenizerError.self) { try parse(String(repeating: "[", count: 100_000)) }
    }

    @Test(
        "writes as Python's json.dumps with an indent of four",
        arguments: [
            ("[]", "[]"), ("{}", "{}"),
            (
                #"{"a":[1,{"b":[]}]}"#,
                "{\n    \"a\": [\n        1,\n        {\n            \"b\": []\n        }\n    ]\n}"
            ),
            (#""\u0001\u001f\u007f\"\\\b\f\n\r\té😀""#, "\"\\u0001\\u001f\u{7f}\\\"\\\\\\b\\f\\n\\r\\té😀\""),
            ("1.0", "1.0"), ("1.50", "1.5"), ("1e5", "100000.0"), ("1E-7", "1e-07"), ("-0", "0"), ("-0.0", "-0.0"),
            ("1e16", "1e+16"), ("12345678901234567.0", "1.2345678901234568e+16"), ("1e22", "1e+22"),
            ("1e999", "Infinity"),
            ("-1e999", "-Infinity"), ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("9007199254740993.0", "9007199254740992.0"), ("0.0001", "0.0001"), ("0.00001", "1e-05"),
            ("5e-324", "5e-324"),
            ("true", "true"), ("null", "null"),
        ])
    func indented(text: String, expected: String) throws {
        #expect(try parse(text).indented() == expected)
    }
}
