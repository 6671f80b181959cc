import FacetCheckpoint
import FacetJSON
import Testing

/// One test per way in which a safetensors file can be malformed, named after the error.
@Suite("A safetensors header") struct SafetensorsHeaderTests {
    private let file = SafetensorsSample.name

    private func expect(
        _ error: CheckpointError, header: String, dataByteCount: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: error, sourceLocation: sourceLocation) {
            try SafetensorsSample.open(header: header, dataByteCount: dataByteCount)
        }
    }

    private func expectMalformed(
        _ field: String, _ expected: String, _ got: String, entry: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expect(
            .malformedEntry(file: file, tensor: "a", field: field, expected: expected, got: got),
            header: #"{"a":"# + entry + "}", dataByteCount: 4, sourceLocation: sourceLocation)
    }

    @Test("is read when it is right")
    func valid() throws {
        let sample = try SafetensorsSample.open(SafetensorsSample.valid)
        let start = SafetensorsSample.valid.count - 34
        #expect(sample.metadata == ["format": "pt"])
        #expect(sample.entries.map(\.name) == ["a", "b.w", "é", "c"])
        #expect(sample.entries.map(\.dtype) == [.float32, .bfloat16, .uint8, .int64])
        #expect(sample.entries.map(\.shape) == [[2, 3], [], [0, 5], [1]])
        #expect(sample.entries[0].byteRange == start..<start + 24)
        #expect(sample.entries[3].byteRange == start + 26..<start + 34)
    }

    @Test("may be empty")
    func empty() throws {
        #expect(try SafetensorsSample.open(header: "{}").entries.isEmpty)
    }

    @Test("knows every dtype of the format", arguments: SafetensorsDType.allCases)
    func dtypes(_ dtype: SafetensorsDType) throws {
        let header = #"{"a":{"dtype":"\#(dtype)","shape":[3],"data_offsets":[0,\#(3 * dtype.byteCount)]}}"#
        let sample = try SafetensorsSample.open(header: header, dataByteCount: 3 * dtype.byteCount)
        #expect(sample.entries.map(\.dtype) == [dtype])
    }

    @Test("truncatedFile: no room for the length", arguments: 0..<8)
    func truncatedLength(_ count: Int) {
        #expect(throws: CheckpointError.truncatedFile(file: file, expected: 8, got: count)) {
            try SafetensorsSample.open(Array(repeating: 0, count: count))
        }
    }

    @Test("truncatedFile: the header is cut")
    func truncatedHeader() {
        #expect(throws: CheckpointError.truncatedFile(file: file, expected: 108, got: 10)) {
            try SafetensorsSample.open(SafetensorsSample.length(100) + [0x7B, 0x7D])
        }
    }

    @Test("truncatedFile: the data is cut")
    func truncatedData() {
        let header = #"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#
        expect(
            .truncatedFile(file: file, expected: 8 + header.utf8.count + 9, got: 8 + header.utf8.count + 4),
            header: header, dataByteCount: 4)
    }

    @Test("truncatedFile: cut at any byte", arguments: 0..<SafetensorsSample.valid.count)
    func truncatedAnywhere(_ count: Int) {
        #expect(
            performing: { try SafetensorsSample.open(Array(SafetensorsSample.valid.prefix(count))) },
            throws: { error in
                guard case .truncatedFile(SafetensorsSample.name, let expected, count)? = error as? CheckpointError
                else { return false }
                return expected > count
            })
    }

    @Test("headerTooLarge", arguments: [UInt64(16 << 20) + 1, 1 << 63, .max])
    func headerTooLarge(_ length: UInt64) {
        #expect(throws: CheckpointError.headerTooLarge(file: file, byteCount: length, limit: 16 << 20)) {
            try SafetensorsSample.open(SafetensorsSample.length(length) + [0x7B, 0x7D])
        }
    }

    @Test("gitLFSPointer")
    func gitLFSPointer() {
        let text = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        #expect(throws: CheckpointError.gitLFSPointer(file: file)) {
            try SafetensorsSample.open(Array(text.utf8))
        }
    }

    @Test("headerNotUTF8")
    func headerNotUTF8() {
        let header = Array(#"{"a"#.utf8) + [0xFF] + Array(#"":{}}"#.utf8)
        #expect(throws: CheckpointError.headerNotUTF8(file: file, offset: 1)) {
            try SafetensorsSample.open(SafetensorsSample.bytes(header: header, dataByteCount: 0))
        }
    }

    @Test("invalidJSON")
    func invalidJSON() {
        expect(.invalidJSON(file: file, .unexpectedEnd(expected: "a key or '}'")), header: "{")
        expect(.invalidJSON(file: file, .trailingContent(offset: 3)), header: "{} x")
    }

    @Test("duplicateKey: a tensor, and a field of one")
    func duplicateKey() {
        let entry = #"{"dtype":"U8","shape":[],"data_offsets":[0,1]}"#
        expect(.duplicateKey(file: file, key: "a"), header: #"{"a":\#(entry),"\u0061":\#(entry)}"#, dataByteCount: 1)
        expect(.duplicateKey(file: file, key: "dtype"), header: #"{"a":{"dtype":"U8","dtype":"U8"}}"#)
    }

    @Test("malformedHeader: not an object, or not from the first byte on")
    func malformedHeader() {
        let expected = "a JSON object from its first byte on"
        expect(.malformedHeader(file: file, expected: expected, got: "no bytes"), header: "")
        expect(.malformedHeader(file: file, expected: expected, got: "byte 0x5b"), header: "[]")
        expect(.malformedHeader(file: file, expected: expected, got: "byte 0x20"), header: " {}")
    }

    @Test("malformedHeader: metadata that is not strings")
    func malformedMetadata() {
        expect(
            .malformedHeader(file: file, expected: "an object as __metadata__", got: "an array"),
            header: #"{"__metadata__":[]}"#)
        expect(
            .malformedHeader(file: file, expected: "only strings in __metadata__", got: "a number as \"x\""),
            header: #"{"__metadata__":{"x":1}}"#)
    }

    @Test("malformedEntry: fields missing, unknown or of another type")
    func malformedEntry() {
        expectMalformed("entry", "an object", "3", entry: "3")
        expectMalformed("dtype", "a string", "missing", entry: #"{"shape":[4],"data_offsets":[0,4]}"#)
        expectMalformed("dtype", "a string", "null", entry: #"{"dtype":null,"shape":[4],"data_offsets":[0,4]}"#)
        expectMalformed("extra", "absent", "1", entry: #"{"dtype":"U8","shape":[4],"data_offsets":[0,4],"extra":1}"#)
        for shape in ["[-1]", "[4.0]", "[4e0]", "[\"4\"]", "[true]", "[9223372036854775808]"] {
            expectMalformed(
                "shape", "an array of integers >= 0", "an array",
                entry: #"{"dtype":"U8","shape":\#(shape),"data_offsets":[0,4]}"#)
        }
        for offsets in ["[0]", "[0,4,4]", "[-4,0]", "[0,4.0]", "[0,18446744073709551620]"] {
            expectMalformed(
                "data_offsets", "two integers >= 0", "an array",
                entry: #"{"dtype":"U8","shape":[4],"data_offsets":\#(offsets)}"#)
        }
    }

    @Test("unknownDType", arguments: ["F4", "bf16", "", "Q8_0"])
    func unknownDType(_ dtype: String) {
        expect(
            .unknownDType(file: file, tensor: "a", got: dtype),
            header: #"{"a":{"dtype":"\#(dtype)","shape":[4],"data_offsets":[0,4]}}"#, dataByteCount: 4)
    }

    @Test("shapeOverflow: elements, and their bytes")
    func shapeOverflow() {
        for shape in [[1 << 32, 1 << 32], [Int.max], [1 << 61, 1]] {
            expect(
                .shapeOverflow(file: file, tensor: "a", shape: shape),
                header: #"{"a":{"dtype":"F32","shape":\#(shape),"data_offsets":[0,0]}}"#)
        }
    }

    @Test("reversedOffsets")
    func reversedOffsets() {
        expect(
            .reversedOffsets(file: file, tensor: "a", begin: 4, end: 0),
            header: #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#, dataByteCount: 4)
    }

    @Test("byteCountMismatch")
    func byteCountMismatch() {
        expect(
            .byteCountMismatch(file: file, tensor: "a", expected: 6, got: 4),
            header: #"{"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,4]}}"#, dataByteCount: 4)
    }

    @Test("offsetsOutOfRange: beyond the data, and beyond what can be counted")
    func offsetsOutOfRange() {
        expect(
            .offsetsOutOfRange(file: file, tensor: "a", end: 12, limit: 4),
            header: #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}"#, dataByteCount: 4)
        let header = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[\#(Int.max - 1),\#(Int.max)]}}"#
        expect(
            .offsetsOutOfRange(file: file, tensor: "a", end: .max, limit: .max - 8 - header.utf8.count), header: header)
    }

    @Test("overlappingTensors: partly, wholly, and an empty one inside")
    func overlappingTensors() {
        for (begin, end) in [(2, 6), (0, 4), (2, 2)] {
            let second = #""b":{"dtype":"U8","shape":[\#(end - begin)],"data_offsets":[\#(begin),\#(end)]}"#
            let sample = #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},\#(second)}"#
            #expect(
                performing: { try SafetensorsSample.open(header: sample, dataByteCount: 6) },
                throws: { error in
                    guard
                        case .overlappingTensors(SafetensorsSample.name, let one, let two)? = error as? CheckpointError
                    else { return false }
                    return Set([one, two]) == ["a", "b"]
                })
        }
    }

    @Test("unusedBytes: before, between and after tensors, and without any")
    func unusedBytes() {
        func entry(_ name: String, _ begin: Int) -> String {
            #""\#(name)":{"dtype":"U8","shape":[2],"data_offsets":[\#(begin),\#(begin + 2)]}"#
        }
        expect(.unusedBytes(file: file, range: 0..<1), header: "{\(entry("a", 1))}", dataByteCount: 3)
        expect(
            .unusedBytes(file: file, range: 2..<4), header: "{\(entry("b", 4)),\(entry("a", 0))}", dataByteCount: 6)
        expect(.unusedBytes(file: file, range: 2..<5), header: "{\(entry("a", 0))}", dataByteCount: 5)
        expect(.unusedBytes(file: file, range: 0..<7), header: "{}", dataByteCount: 7)
    }
}
