import ArgumentParser
import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTerminal
import Foundation
import Synchronization

/// A checkpoint in smaller numbers.
struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a checkpoint again with its weights in int8, int4, fp8, bfloat16 or float16.",
        discussion: """
            Example: facet quantize --model glm-4v-9b --to int4 --vision int8 --out glm-4v-9b-int4
            Norms, biases, embeddings and convolutions keep their type when weights are quantized, and so does the \
            output layer unless --output-layer names a type.
            """
    )

    @Option(help: ArgumentHelp("Checkpoint folder, such as glm-4v-9b.", valueName: "dir"))
    var model: String

    @Option(help: ArgumentHelp("int8, int4, fp8, bfloat16 or float16.", valueName: "type"))
    var to: String?

    @Option(help: ArgumentHelp("The same for the vision tower and the projector.", valueName: "type"))
    var vision: String?

    @Option(help: ArgumentHelp("The same for the decoder's layers.", valueName: "type"))
    var decoder: String?

    @Option(
        name: .customLong("output-layer"),
        help: ArgumentHelp("The same for the output layer.", valueName: "type"))
    var outputLayer: String?

    @Option(
        help: ArgumentHelp(
            "Inputs that share a scale: 64, 128 or row; int4 has 64 and the others row without it.",
            valueName: "size"))
    var group: String?

    @Option(help: ArgumentHelp("Folder to write; must not exist, or be empty.", valueName: "dir"))
    var out: String

    func run() async throws {
        let choice = try self.choice()
        let conversion = try CheckpointConversion(folder: FilePath.expanded(model), choice: choice)
        let line = ProgressLine()
        let clock = ContinuousClock(), start = clock.now
        let stop = Stop()
        let interrupt = Interrupt { stop.isAsked.store(true, ordering: .relaxed) }
        defer { withExtendedLifetime(interrupt) {} }
        let report: [ConvertedPart]
        do throws(ModelError) {
            report = try conversion.write(to: FilePath.expanded(out)) { (progress) throws(ModelError) in
                if stop.isAsked.load(ordering: .relaxed) { throw .loadingCancelled }
                line.show(Self.text(progress, clock.now - start))
            }
            line.clear()
        } catch .loadingCancelled {
            line.clear()
            throw ExitCode(130)
        }
        try StandardOutput.write(Self.table(report).text)
    }

    /// Whether Control-C has been pressed.
    private final class Stop: Sendable {
        let isAsked = Atomic(false)
    }

    private func choice() throws -> ConversionChoice {
        let all = try to.map { try precision($0, "--to") }
        var choice = all.map { ConversionChoice($0) } ?? ConversionChoice(vision: nil, decoder: nil, output: nil)
        if let vision { choice.vision = try precision(vision, "--vision") }
        if let decoder { choice.decoder = try precision(decoder, "--decoder") }
        if let outputLayer { choice.output = try precision(outputLayer, "--output-layer") }
        guard choice != ConversionChoice(vision: nil, decoder: nil, output: nil) else {
            throw ValidationError("Say what to convert to, with --to, --vision, --decoder or --output-layer.")
        }
        return choice
    }

    /// A precision by its name, in groups of the size that `--group` says.
    private func precision(_ name: String, _ option: String) throws -> Precision {
        let expected = "int8, int4, fp8, bfloat16 or float16"
        let parsed = try? PrecisionText.parse(name, fallback: .bfloat16, input: option)
        guard let precision = parsed?.decoder, parsed?.vision == precision, precision != .float32,
            precision.isStorable || !precision.isQuantized
        else { throw CommandError.invalidOption(name: option, expected: expected, got: "'\(name)'") }
        guard let group else { return precision }
        guard ["64", "128", "row"].contains(group) else {
            throw CommandError.invalidOption(name: "--group", expected: "64, 128 or row", got: "'\(group)'")
        }
        switch precision {
        case .int8, .int8Groups: return Int(group).map { .int8Groups(of: $0) } ?? .int8
        case .int4: return Int(group).map { .int4(group: $0) } ?? .int4(group: 1 << 30, scaleBytes: 4)
        default: return precision
        }
    }

    private static func text(_ progress: ConversionProgress, _ elapsed: Duration) -> String {
        let total = max(1, progress.totalByteCount), seconds = max(1e-3, elapsed.seconds)
        let rate = Double(progress.finishedByteCount) / seconds
        let remaining = Double(total - progress.finishedByteCount) / max(1, rate)
        return String(
            format: "Quantizing %.2f of %.2f GB … %.2f GB/s, %.0f s left", Double(progress.finishedByteCount) / 1e9,
            Double(total) / 1e9, rate / 1e9, remaining)
    }

    private static func table(_ parts: [ConvertedPart]) -> TextTable {
        var table = TextTable([
            ("part", .left), ("MB before", .right), ("MB after", .right), ("worst error", .right), ("of", .left),
        ])
        for part in parts {
            table.append([
                part.part.rawValue, megabytes(part.byteCountBefore), megabytes(part.byteCountAfter),
                part.worstTensor == nil ? "" : String(format: "%.2f %%", 100 * part.worstError),
                part.worstTensor ?? "",
            ])
        }
        table.append([
            "all", megabytes(parts.reduce(0) { $0 + $1.byteCountBefore }),
            megabytes(parts.reduce(0) { $0 + $1.byteCountAfter }), "", "",
        ])
        return table
    }

    private static func megabytes(_ byteCount: Int) -> String { String(format: "%.2f", Double(byteCount) / 1e6) }
}
