import FacetJSON

/// A file of figures: one JSON object per line, as the scripts in `Benchmarks/peers` print them.
///
///     {"program": "pytorch", "version": "2.15.0", "name": "product: decoder qkv", "size": "512 x 4096 -> 4608",
///      "precision": "bfloat16", "threads": 2, "unit": "GFLOP/s", "median": 801.2, "fastest": …, "slowest": …}
///
/// (on one line). Members that it does not know are left alone, and so are objects that have no `name`: they describe
/// a program or a machine.
public struct SpeedFile: Sendable {
    /// Bytes that a file may have at most.
    public static let byteLimit = 4 << 20

    /// The figures in the order of the file.
    public let figures: [SpeedFigure]

    /// Reads the contents of a file.
    ///
    /// - Parameter file: what errors call it.
    /// - Throws: the first offence, with its line.
    public init(parsing bytes: [UInt8], file: String) throws(ComparisonError) {
        guard bytes.count <= Self.byteLimit else { throw .tooLarge(file: file, limit: "\(Self.byteLimit) bytes") }
        var figures: [SpeedFigure] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.allSatisfy(Self.isBlank) {
            let reader = try LineReader(line, file: file, line: index + 1)
            if let figure = try reader.figure() { figures.append(figure) }
        }
        guard !figures.isEmpty else { throw .noFigures(file: file) }
        self.figures = figures
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0D].contains(byte) }
}

/// One line on its way to a figure.
private struct LineReader {
    let object: JSONObject
    let file: String
    let line: Int

    init(_ bytes: ArraySlice<UInt8>, file: String, line: Int) throws(ComparisonError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: Array(bytes))
        } catch {
            throw .malformedLine(file: file, line: line, reason: "\(error)")
        }
        guard let object = value.object else {
            throw .malformedLine(file: file, line: line, reason: "it is \(value.kind)")
        }
        self.object = object
        self.file = file
        self.line = line
    }

    /// The figure; nil for an object without a `name`.
    func figure() throws(ComparisonError) -> SpeedFigure? {
        guard object["name"] != nil else { return nil }
        let median = try speed("median")
        return SpeedFigure(
            program: try text("program"), version: try optionalText("version"),
            work: MeasuredWork(name: try text("name"), size: try text("size"), model: try optionalText("model")),
            precision: try text("precision"), threads: try threads(), unit: try text("unit"), median: median,
            fastest: try optionalSpeed("fastest") ?? median, slowest: try optionalSpeed("slowest") ?? median,
            limit: try optionalSpeed("limit"))
    }

    private func value(_ member: String) -> JSONValue? {
        object[member].flatMap { $0.isNull ? nil : $0 }
    }

    private func text(_ member: String) throws(ComparisonError) -> String {
        guard let text = try optionalText(member) else { throw wrong(member, "a text") }
        return text
    }

    private func optionalText(_ member: String) throws(ComparisonError) -> String? {
        guard let value = value(member) else { return nil }
        guard let text = value.string, !text.isEmpty, text.utf8.count <= 200 else {
            throw wrong(member, "a text of 1 to 200 bytes")
        }
        // A file may not steer the terminal that its texts are printed on.
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw wrong(member, "a text without control characters")
        }
        return text
    }

    private func speed(_ member: String) throws(ComparisonError) -> Double {
        guard let speed = try optionalSpeed(member) else { throw wrong(member, "a speed") }
        return speed
    }

    private func optionalSpeed(_ member: String) throws(ComparisonError) -> Double? {
        guard let value = value(member) else { return nil }
        guard let speed = value.double, speed > 0, speed < 1e15 else { throw wrong(member, "a number above 0") }
        return speed
    }

    private func threads() throws(ComparisonError) -> Int {
        guard let count = value("threads")?.integer, (1...65_536).contains(count) else {
            throw wrong("threads", "a whole number above 0")
        }
        return count
    }

    private func wrong(_ member: String, _ expected: String) -> ComparisonError {
        .wrongMember(
            file: file, line: line, member: member, expected: expected, got: object[member]?.summary ?? "not there")
    }
}
