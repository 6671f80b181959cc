import FacetJSON

/// One tensor of a safetensors file, as its header describes it.
public struct SafetensorsEntry: Sendable, Hashable {
    /// The tensor's full name.
    public let name: String
    /// Type of the elements.
    public let dtype: SafetensorsDType
    /// Length of each dimension, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Where the elements are, in bytes from the start of the file.
    public let byteRange: Range<Int>
}

/// The header of a safetensors file, checked in full before any of it is believed.
///
///     | N: 8 bytes, little-endian | header: N bytes of JSON | data |
///
/// The format is that of the `safetensors` package (format description in its README): the JSON object maps names
/// to `{"dtype", "shape", "data_offsets": [begin, end]}`, offsets counted from the start of the data; the tensors
/// cover the data without overlap and without holes; `__metadata__` maps strings to strings. Data may start at any
/// byte, so alignment is the reader's business. The file's length is given, its data is never looked at.
package struct SafetensorsHeader: Sendable {
    /// Largest header that is read.
    ///
    /// Differs from the `safetensors` package, which reads up to 100 MB: because such a header would take a gigabyte
    /// once parsed, and 16 MiB have room for 100,000 tensors.
    package static let byteCountLimit = 16 << 20

    /// The tensors in the order of their bytes.
    package let entries: [SafetensorsEntry]

    /// The `__metadata__` of the file; empty when it has none.
    package let metadata: [String: String]

    /// Bytes before the data: the length field and the JSON.
    package let byteCount: Int

    /// Checks the length field.
    ///
    /// - Parameters:
    ///   - prefix: the first bytes of the file, at most 64.
    ///   - fileByteCount: length of the whole file.
    /// - Returns: length of the JSON that follows the first 8 bytes.
    /// - Throws: `.truncatedFile`, `.gitLFSPointer`, `.headerTooLarge`.
    package static func jsonByteCount(
        prefix: [UInt8], fileByteCount: Int, file: String
    ) throws(CheckpointError) -> Int {
        if FileContents.isGitLFSPointer(prefix) { throw .gitLFSPointer(file: file) }
        guard prefix.count >= lengthByteCount else {
            throw .truncatedFile(file: file, expected: lengthByteCount, got: fileByteCount)
        }
        let announced = prefix.prefix(lengthByteCount).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard announced <= UInt64(byteCountLimit) else {
            throw .headerTooLarge(file: file, byteCount: announced, limit: byteCountLimit)
        }
        let end = lengthByteCount + Int(announced)
        guard end <= fileByteCount else { throw .truncatedFile(file: file, expected: end, got: fileByteCount) }
        return Int(announced)
    }

    /// Reads and checks the JSON of a header.
    ///
    /// - Parameters:
    ///   - json: the bytes between length field and data.
    ///   - fileByteCount: length of the whole file.
    ///   - file: names the file in errors.
    /// - Throws: the first offence found, as its own case.
    package init(json: [UInt8], fileByteCount: Int, file: String) throws(CheckpointError) {
        byteCount = Self.lengthByteCount + json.count
        let document = try Self.document(json, file)
        var metadata: [String: String] = [:]
        var entries: [SafetensorsEntry] = []
        entries.reserveCapacity(document.members.count)
        for member in document.members {
            if member.key == "__metadata__" {
                metadata = try Self.metadata(member.value, file)
            } else {
                entries.append(try Self.entry(member, dataStart: byteCount, file))
            }
        }
        entries.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        self.metadata = metadata
        self.entries = entries
        try checkLayout(fileByteCount: fileByteCount, file)
    }

    static let lengthByteCount = 8

    private static func document(_ json: [UInt8], _ file: String) throws(CheckpointError) -> JSONObject {
        // The format asks for '{' as the very first byte.
        guard json.first == UInt8(ascii: "{") else {
            throw .malformedHeader(
                file: file, expected: "a JSON object from its first byte on",
                got: json.first.map { "byte 0x" + String($0, radix: 16) } ?? "no bytes")
        }
        let limits = JSONValue.Limits(byteCount: byteCountLimit, depth: 4)
        do {
            let value = try JSONValue(parsing: json, limits: limits)
            guard case .object(let object) = value else { preconditionFailure("a document that starts as an object") }
            return object
        } catch {
            if case .notUTF8(let offset) = error { throw .headerNotUTF8(file: file, offset: offset) }
            throw CheckpointError(file: file, error)
        }
    }

    private static func metadata(_ value: JSONValue, _ file: String) throws(CheckpointError) -> [String: String] {
        guard let object = value.object else {
            throw .malformedHeader(file: file, expected: "an object as __metadata__", got: value.kind)
        }
        var result: [String: String] = [:]
        for member in object.members {
            guard let text = member.value.string else {
                throw .malformedHeader(
                    file: file, expected: "only strings in __metadata__",
                    got: "\(member.value.kind) as \"\(member.key)\"")
            }
            result[member.key] = text
        }
        return result
    }

    private static func entry(
        _ member: JSONObject.Member, dataStart: Int, _ file: String
    ) throws(CheckpointError) -> SafetensorsEntry {
        let fields = try EntryFields(member, file)
        guard let dtype = SafetensorsDType(rawValue: fields.dtype) else {
            throw .unknownDType(file: file, tensor: member.key, got: fields.dtype)
        }
        let (begin, end) = fields.offsets
        guard begin <= end else {
            throw .reversedOffsets(file: file, tensor: member.key, begin: begin, end: end)
        }
        guard let needed = byteCount(of: fields.shape, dtype) else {
            throw .shapeOverflow(file: file, tensor: member.key, shape: fields.shape)
        }
        guard needed == end - begin else {
            throw .byteCountMismatch(file: file, tensor: member.key, expected: needed, got: end - begin)
        }
        let (absoluteEnd, overflow) = end.addingReportingOverflow(dataStart)
        guard !overflow else {
            throw .offsetsOutOfRange(file: file, tensor: member.key, end: end, limit: Int.max - dataStart)
        }
        return SafetensorsEntry(
            name: member.key, dtype: dtype, shape: fields.shape, byteRange: begin + dataStart..<absoluteEnd)
    }

    private static func byteCount(of shape: [Int], _ dtype: SafetensorsDType) -> Int? {
        var count = dtype.byteCount
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            if overflow { return nil }
            count = product
        }
        return count
    }

    /// Checks that the entries, sorted by position, cover the data exactly.
    private func checkLayout(fileByteCount: Int, _ file: String) throws(CheckpointError) {
        var problem: CheckpointError?
        var end = byteCount
        var previous = ""
        for entry in entries {
            if entry.byteRange.lowerBound < end {
                problem = problem ?? .overlappingTensors(file: file, tensor: entry.name, other: previous)
            } else if entry.byteRange.lowerBound > end {
                let hole = end - byteCount..<entry.byteRange.lowerBound - byteCount
                problem = problem ?? .unusedBytes(file: file, range: hole)
            }
            if entry.byteRange.upperBound > end {
                end = entry.byteRange.upperBound
                previous = entry.name
            }
        }
        // A consistent header in a short file is a broken download; an inconsistent one is a wrong header, and of
        // its faults the one that leaves the file comes first.
        guard let problem else {
            if end > fileByteCount { throw .truncatedFile(file: file, expected: end, got: fileByteCount) }
            guard end == fileByteCount else {
                throw .unusedBytes(file: file, range: end - byteCount..<fileByteCount - byteCount)
            }
            return
        }
        for entry in entries where entry.byteRange.upperBound > fileByteCount {
            throw .offsetsOutOfRange(
                file: file, tensor: entry.name, end: entry.byteRange.upperBound - byteCount,
                limit: fileByteCount - byteCount)
        }
        throw problem
    }
}

/// The three fields of a header entry, each of the right JSON type.
private struct EntryFields {
    let dtype: String
    let shape: [Int]
    let offsets: (begin: Int, end: Int)

    init(_ member: JSONObject.Member, _ file: String) throws(CheckpointError) {
        func malformed(_ field: String, _ expected: String, _ got: JSONValue?) -> CheckpointError {
            .malformedEntry(
                file: file, tensor: member.key, field: field, expected: expected,
                got: got.map { $0.double == nil ? $0.kind : $0.text } ?? "missing")
        }
        guard let object = member.value.object else { throw malformed("entry", "an object", member.value) }
        let names = ["dtype", "shape", "data_offsets"]
        for field in object.members where !names.contains(field.key) {
            throw malformed(field.key, "absent", field.value)
        }
        guard let dtype = object["dtype"]?.string else { throw malformed("dtype", "a string", object["dtype"]) }
        guard let shape = Self.counts(object["shape"]) else {
            throw malformed("shape", "an array of integers >= 0", object["shape"])
        }
        guard let offsets = Self.counts(object["data_offsets"]), offsets.count == 2 else {
            throw malformed("data_offsets", "two integers >= 0", object["data_offsets"])
        }
        self.dtype = dtype
        self.shape = shape
        self.offsets = (offsets[0], offsets[1])
    }

    private static func counts(_ value: JSONValue?) -> [Int]? {
        guard let elements = value?.array else { return nil }
        let counts = elements.compactMap(\.integer).filter { $0 >= 0 }
        return counts.count == elements.count ? counts : nil
    }
}
