import ArgumentParser
import FacetTensor
import FacetTerminal
import FacetVerify
import Foundation

/// Reference data against the engine.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Run reference cases through the engine and show the worst differences.",
        discussion: """
            Each path is searched for checkpoints with cases, tokenizers with cases, and pictures with an index. \
            Exit status 1 when any case misses its tolerance.
            """
    )

    @Option(help: ArgumentHelp("float32, bfloat16, or all.", valueName: "type"))
    var dtype = "all"

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "List the cases that passed, too.")
    var verbose = false

    @Argument(help: "Folders with reference data.")
    var paths: [String]

    /// What is printed with `--json`.
    private struct Report: Encodable {
        let passed: Int
        let failed: Int
        let results: [Entry]
    }

    private struct Entry: Encodable {
        let dtype: String?
        let result: CaseResult
    }

    func run() async throws {
        let dtypes = dtype == "all" ? [DType.float32, .bfloat16] : [try ModelFolder.dtype(dtype) ?? .float32]
        var entries: [Entry] = []
        for path in paths {
            let found = try FixtureDiscovery(root: URL(fileURLWithPath: FilePath.expanded(path)))
            guard !found.isEmpty else { throw VerifyError.nothingFound(path: path) }
            for folder in found.tokenizers {
                entries += try TokenizerCases(directory: folder).run().map { Entry(dtype: nil, result: $0) }
            }
            for folder in found.images {
                entries += try ImageCases(directory: folder).run().map { Entry(dtype: nil, result: $0) }
            }
            for folder in found.checkpoints {
                let cases = try ModelCases(directory: folder)
                for dtype in dtypes {
                    let backend = try Backends.cpu(threads: threads)
                    entries += try cases.run(dtype: dtype, on: backend).map {
                        Entry(dtype: dtype.rawValue, result: $0)
                    }
                }
            }
        }
        try report(entries)
    }

    private func report(_ entries: [Entry]) throws {
        let failed = entries.count { !$0.result.passed }
        if json {
            try JSONOutput.print(Report(passed: entries.count - failed, failed: failed, results: entries))
        } else {
            try StandardOutput.write(table(entries))
            try StandardOutput.write("\(entries.count - failed) passed, \(failed) failed\n")
        }
        if failed > 0 { throw ExitCode.failure }
    }

    /// Tensors line by line; exact cases only where they differ, or when all are asked for.
    private func table(_ entries: [Entry]) -> String {
        var table = TextTable([
            ("", .left), ("case", .left), ("dtype", .left), ("tensor", .left), ("worst", .right), ("at", .left),
            ("tolerance", .right), ("expected", .left), ("got", .left),
        ])
        for entry in entries where verbose || !entry.result.passed || entry.result.tensor != nil {
            let result = entry.result
            table.append([
                result.passed ? "ok" : "MISS", "\(result.suite)/\(result.name)", entry.dtype ?? "",
                result.tensor ?? "", result.worst.map(Self.short) ?? "", result.index.map { "\($0)" } ?? "",
                result.tolerance.map(Self.short) ?? "", result.passed ? "" : result.expected ?? "",
                result.passed ? "" : result.got ?? "",
            ])
        }
        return table.text
    }

    private static func short(_ number: Double) -> String { String(format: "%.2g", number) }
}
