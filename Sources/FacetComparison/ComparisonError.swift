/// What can be wrong with a file of other programs' figures.
public enum ComparisonError: Error, Hashable, Sendable {
    /// A line is not a JSON document.
    case malformedLine(file: String, line: Int, reason: String)
    /// A line lacks a member, or a member's value makes no sense.
    case wrongMember(file: String, line: Int, member: String, expected: String, got: String)
    /// There is no figure in the file.
    case noFigures(file: String)
    /// The file has more bytes or lines than a file of figures can need.
    case tooLarge(file: String, limit: String)
}

extension ComparisonError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedLine(let file, let line, let reason):
            "line \(line) of '\(file)' is not a JSON object: \(reason); give --compare what the scripts in "
                + "Benchmarks/peers print."
        case .wrongMember(let file, let line, let member, let expected, let got):
            "line \(line) of '\(file)': \"\(member)\" must be \(expected), but is \(got); give --compare what the "
                + "scripts in Benchmarks/peers print."
        case .noFigures(let file):
            "'\(file)' holds no figure; give --compare what the scripts in Benchmarks/peers print."
        case .tooLarge(let file, let limit):
            "'\(file)' is no file of figures: it has more than \(limit); give --compare what the scripts in "
                + "Benchmarks/peers print."
        }
    }
}
