import FacetTerminal
import Testing

@Suite struct KeyDecoderTests {
    private func keys(_ bytes: [UInt8]) -> [Key] {
        var decoder = KeyDecoder()
        return bytes.compactMap { decoder.decode($0) }
    }

    @Test("decodes letters, UTF-8 and control keys")
    func plain() {
        #expect(keys(Array("a你😀".utf8)) == [.character("a"), .character("你"), .character("😀")])
        #expect(keys([1, 13, 127]) == [.control("a"), .enter, .backspace])
    }

    @Test(
        "decodes the sequences of common terminals",
        arguments: [
            ("[A", Key.up), ("[B", .down), ("[C", .right), ("[D", .left), ("[H", .home), ("[F", .end), ("OH", .home),
            ("OF", .end), ("[1~", .home), ("[4~", .end), ("[3~", .delete), ("[1;5C", .right),
        ])
    func sequences(_ text: String, _ key: Key) {
        #expect(keys([0x1B] + Array(text.utf8) + [UInt8(ascii: "x")]) == [key, .character("x")])
    }

    @Test("drops what it does not know and goes on")
    func unknown() {
        #expect(keys([0x1B, UInt8(ascii: "x"), UInt8(ascii: "y")]) == [.character("y")])
        #expect(keys([0xFF, 0x61]) == [.character("a")])
        #expect(keys([0xE4, 0x61, 0x62, 0x63]) == [.character("c")])
    }

    @Test("survives any bytes")
    func anyBytes() {
        var state: UInt64 = 7
        var decoder = KeyDecoder()
        var buffer = LineBuffer()
        for _ in 0..<200_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if let key = decoder.decode(UInt8(truncatingIfNeeded: state >> 56)) { _ = buffer.handle(key) }
            #expect(buffer.cursor >= 0 && buffer.cursor <= buffer.characters.count)
        }
    }
}
