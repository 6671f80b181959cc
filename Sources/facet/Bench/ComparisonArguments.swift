import ArgumentParser
import FacetComparison

/// The option that puts other programs' figures beside ours.
struct ComparisonArguments: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Files of other programs' figures, which Benchmarks/peers measures, to print beside ours.",
            valueName: "file"))
    var compare: [String] = []

    /// The figures of all files; nil when there is none to compare with.
    ///
    /// - Throws: `CommandError.unreadable`, `ComparisonError`.
    func figures() throws -> [SpeedFigure]? {
        guard !compare.isEmpty else { return nil }
        return try compare.flatMap { file in
            try SpeedFile(parsing: InputFile.bytes(file), file: file).figures
        }
    }
}
