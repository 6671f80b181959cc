import ArgumentParser
import FacetEngine
import FacetTokenizer
import Foundation

/// Speed of loading a vocabulary and of encoding a text.
struct BenchTokenizerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Measure how fast a vocabulary is loaded and a text is encoded.")

    @Option(help: ArgumentHelp("Checkpoint folder whose tokenizer is used.", valueName: "dir"))
    var model: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "UTF-8 text file.")
    var file: String

    private struct Report: Encodable {
        let ranks: Int
        let loadMilliseconds: Double
        let byteCount: Int
        let tokenCount: Int
        let encodeMilliseconds: Double
        let megabytesPerSecond: Double
    }

    func run() async throws {
        let contents: Data
        do { contents = try Data(contentsOf: URL(fileURLWithPath: FilePath.expanded(file))) } catch {
            throw CommandError.unreadable(path: file, reason: error.localizedDescription)
        }
        let bytes = [UInt8](contents)
        let tokenizer = try ModelFolder.tokenizer(model)
        let files = ModelFolder.files(model)
        let vocabulary = try files.bytes(of: "tokenizer.model", limit: 256 << 20)
        let load = try Measurement.repeating(for: .milliseconds(500)) { _ = try Vocabulary(tokenizerModel: vocabulary) }
        var tokenCount = 0
        let encode = try Measurement.repeating(for: .seconds(2)) { tokenCount = try tokenizer.encode(utf8: bytes).count }
        let report = Report(
            ranks: tokenizer.vocabulary.rankCount, loadMilliseconds: load.median * 1e3, byteCount: bytes.count,
            tokenCount: tokenCount, encodeMilliseconds: encode.median * 1e3,
            megabytesPerSecond: Double(bytes.count) / encode.median / 1e6)
        if json { return try JSONOutput.print(report) }
        try StandardOutput.write(
            String(
                format: "%d ranks loaded in %.1f ms; %d bytes to %d tokens in %.1f ms, %.1f MB/s\n", report.ranks,
                report.loadMilliseconds, report.byteCount, report.tokenCount, report.encodeMilliseconds,
                report.megabytesPerSecond))
    }
}
