import FacetPlacement
import Testing

@Suite("Sizes of memory")
struct ByteSizeTests {
    private static let sizes: [(String, Int)] = [
        ("20GiB", 21_474_836_480), ("22GB", 22_000_000_000), ("8192MiB", 8_589_934_592), ("24g", 25_769_803_776),
        ("24 G", 25_769_803_776), (" 1.5GiB ", 1_610_612_736), ("0.5kib", 512), ("1TB", 1_000_000_000_000),
        ("2t", 2_199_023_255_552), ("512b", 512), ("1048576", 1_048_576), ("0.1GB", 100_000_000),
        ("16gIb", 17_179_869_184), ("0.000001GB", 1000), ("3KB", 3000),
    ]

    @Test("units of both kinds are read, in any case and with fractions", arguments: sizes)
    func reading(_ text: String, _ byteCount: Int) throws {
        #expect(try ByteSize.parse(text, input: "--max-memory") == byteCount)
    }

    @Test(
        "what is no size is refused with the form",
        arguments: [
            "", "GiB", "20GiBs", "-1GiB", "+1GiB", "1e3", "0x10", "nan", "inf", "1.GiB", ".5GiB", "1..5g", "٣GiB",
        ])
    func malformed(_ text: String) {
        #expect(throws: PlacementInputError.malformed(input: "--x", entry: text, expected: ByteSize.form)) {
            try ByteSize.parse(text, input: "--x")
        }
    }

    @Test("a forgotten unit is named, with the likely one")
    func unitless() {
        let error = #expect(throws: PlacementInputError.self) { try ByteSize.parse("20", input: "--x") }
        #expect(error?.description.contains("20GiB") == true)
    }

    @Test(
        "nothing and more than there can be are out of range",
        arguments: ["0", "0GiB", "0.0001b", "8388608TiB", "1025TiB", "99999999999999999999g", "9223372036854775807GB"])
    func outOfRange(_ text: String) {
        let error = #expect(throws: PlacementInputError.self) { try ByteSize.parse(text, input: "--x") }
        guard case .outOfRange = error else {
            Issue.record("\(text): \(String(describing: error))")
            return
        }
    }

    @Test("an exact text reads back, and the short one rounds")
    func texts() throws {
        for byteCount in [1 << 20, 3 << 29, 25_769_803_776, 12_345_679, 1 << 50] {
            #expect(try ByteSize.parse(ByteSize.exactText(byteCount), input: "") == byteCount)
        }
        #expect(ByteSize.exactText(20 << 30) == "20GiB")
        #expect(ByteSize.text(23 << 29) == "11.50 GiB")
        #expect(ByteSize.text((1 << 30) - 1) == "1024.00 MiB")
        #expect(ByteSize.text((2 << 30) - 1) == "2.00 GiB")
        #expect(ByteSize.text(-(1 << 20)) == "-1.00 MiB")
        #expect(ByteSize.text(Int.max).hasSuffix("GiB") && ByteSize.text(Int.min).hasPrefix("-"))
    }
}
