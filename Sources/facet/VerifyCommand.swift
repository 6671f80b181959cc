import ArgumentParser
import FacetEngine
import FacetModel
import FacetPlacement
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
            Each path is searched for checkpoints with cases, tokenizers with cases, pictures with an index, and \
            pictures with questions; the last are asked of the embedded demo model, or of --model, and scored. \
            Exit status 1 when any case misses its tolerance; a score does not fail.
            """
    )

    @Option(help: ArgumentHelp("float32, bfloat16, all, or int8, int4 or fp8 to quantize first.", valueName: "type"))
    var dtype = "all"

    @Option(help: ArgumentHelp("Checkpoint folder that is asked the questions.", valueName: "dir"))
    var model: String?

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @OptionGroup
    var cache: CacheArguments

    @OptionGroup
    var device: DeviceArguments

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
        let accuracies: [AccuracyReport]
        let cards: [CardReport]?
    }

    private struct Entry: Encodable {
        let dtype: String?
        let result: CaseResult
    }

    func run() async throws {
        let types = dtype == "all" ? [try TypeOption("float32"), try TypeOption("bfloat16")] : [try TypeOption(dtype)]
        let quantizesCache = try cache.quantizes()
        var entries: [Entry] = []
        var accuracies: [AccuracyReport] = []
        var cards: [CardReport] = []
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
                for type in types {
                    let dtype = type.activations ?? .float32
                    let recipe = try type.weights.flatMap { try cases.recipe.quantized($0) } ?? cases.recipe
                    var limits = ModelLimits(configuration: cases.recipe)
                    limits.quantizesCache = quantizesCache
                    let sizes = ModelSizes(configuration: recipe, dtype: dtype, limits: limits)
                    let choice = try device.choice { sizes }
                    let (backends, started) = try Backends.start(choice, threads: threads)
                    tell(started, &cards)
                    let placement = choice?.placement ?? .single(cases.recipe)
                    entries += try cases.run(
                        dtype: dtype, on: backends, placement: placement,
                        residency: backends.countWeights ? .mapped : .packed, quantization: type.weights,
                        quantizesCache: quantizesCache
                    ).map { Entry(dtype: type.name ?? dtype.rawValue, result: $0) }
                }
            }
            for folder in found.accuracies {
                let cases = try AccuracyCases(directory: folder)
                for type in types { accuracies.append(try await score(cases, type, &cards)) }
            }
        }
        try report(entries, accuracies, cards)
    }

    /// Says how cards compute, once for each type of arithmetic: every case starts them anew.
    private func tell(_ started: [CardReport], _ cards: inout [CardReport]) {
        for card in started
        where !cards.contains(where: { ($0.device, $0.arithmetic) == (card.device, card.arithmetic) }) {
            cards.append(card)
            Terminal.error.write("facet: \(card.sentence)\n")
        }
    }

    private func score(
        _ cases: AccuracyCases, _ type: TypeOption, _ cards: inout [CardReport]
    ) async throws -> AccuracyReport {
        var options = EngineOptions()
        (options.dtype, options.quantization) = (type.activations, type.weights)
        options.quantizesCache = try cache.quantizes()
        let files = ModelFolder.files(model)
        let choice = try device.choice(files, options)
        let (devices, started) = try Backends.start(choice, threads: threads)
        tell(started, &cards)
        let loaded = try ModelLoader(files, options: options).load(onto: devices, placement: choice?.placement)
        return try await cases.run(loaded, dtype: type.name ?? "auto")
    }

    private func report(_ entries: [Entry], _ accuracies: [AccuracyReport], _ cards: [CardReport]) throws {
        let failed = entries.count { !$0.result.passed }
        if json {
            try JSONOutput.print(
                Report(
                    passed: entries.count - failed, failed: failed, results: entries, accuracies: accuracies,
                    cards: cards.isEmpty ? nil : cards))
        } else {
            for report in accuracies { try StandardOutput.write(text(report)) }
            guard !entries.isEmpty else { return }
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

    /// Right answers by task, and the wrong ones when all cases are asked for.
    private func text(_ report: AccuracyReport) -> String {
        var table = TextTable([("task", .left), ("right", .right), ("of", .right), ("accuracy", .right)])
        for (task, tally) in report.tasks.sorted(by: { $0.key < $1.key }) {
            table.append([
                task, "\(tally.right)", "\(tally.all)", String(format: "%.1f %%", 100 * tally.fraction),
            ])
        }
        let mistakes =
            verbose ? report.mistakes.map { "\($0.image): \($0.question) | \($0.expected) | \($0.got)\n" } : []
        return "\(report.folder), \(report.dtype)\n" + table.text + mistakes.joined() + "\n"
    }

    private static func short(_ number: Double) -> String { String(format: "%.2g", number) }
}
