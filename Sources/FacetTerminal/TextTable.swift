/// Rows of text in aligned columns, for people.
///
///     part              tensors   parameters
///     vision tower          760      4 279 M
public struct TextTable {
    /// Where the text of a column stands.
    public enum Alignment: Sendable {
        case left
        case right
    }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// Makes a table with a header line.
    public init(_ columns: [(title: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.title)]
    }

    /// Adds a row; missing cells are empty.
    ///
    /// - Precondition: there are no more cells than columns.
    public mutating func append(_ cells: [String]) {
        precondition(cells.count <= alignments.count, "a row has more cells than the table has columns")
        rows.append(cells + Array(repeating: "", count: alignments.count - cells.count))
    }

    /// The table as text, one line per row, each ending in a line feed.
    public var text: String {
        let widths = alignments.indices.map { column in
            rows.map { DisplayWidth.cells($0[column]) }.max() ?? 0
        }
        return rows.map { line($0, widths) + "\n" }.joined()
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.indices.map { column in
            let padding = String(repeating: " ", count: widths[column] - DisplayWidth.cells(cells[column]))
            return alignments[column] == .left ? cells[column] + padding : padding + cells[column]
        }
        let joined = padded.joined(separator: "  ")
        return String(joined.reversed().drop { $0 == " " }.reversed())
    }
}
