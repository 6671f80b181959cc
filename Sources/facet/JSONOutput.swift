import FacetTerminal
import Foundation

/// Prints values as JSON on standard output, keys in snake case and sorted.
enum JSONOutput {
    /// Prints one object and a line feed.
    ///
    /// - Throws: `CommandError.unwritable` when standard output takes no more.
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try StandardOutput.write(String(decoding: encoder.encode(value), as: UTF8.self) + "\n")
    }
}

/// Standard output whose failures are errors.
enum StandardOutput {
    /// Writes text at once.
    ///
    /// - Throws: `CommandError.unwritable`.
    static func write(_ text: String) throws {
        guard Terminal.output.write(text) else { throw CommandError.unwritable("standard output") }
    }
}
