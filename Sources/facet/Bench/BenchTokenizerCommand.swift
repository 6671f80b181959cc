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
        let load = try TokenizerBenchmark.loading(tokenizerModel: vocabulary, repeats: 9)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError.notUTF8(what: "'\(file)'", byteOffset: UTF8Check.firstInvalidOffset(bytes) ?? 0)
        }
        let encode = TokenizerBenchmark.encoding(text, with: tokenizer, repeats: 9)
        let report = Report(
            ranks: tokenizer.vocabulary.rankCount, loadMilliseconds: load.median.seconds * 1e3, byteCount: bytes.count,
            tokenCount: encode.tokenCount, encodeMilliseconds: encode.median.seconds * 1e3,
            megabytesPerSecond: encode.megabytesPerSecond)
        if json { return try JSONOutput.print(report) }
        try StandardOutput.write(
            String(
                format: "%d ranks loaded in %.1f ms; %d bytes to %d tokens in %.1f ms, %.1f MB/s\n", report.ranks,
                report.loadMilliseconds, report.byteCount, report.tokenCount, report.encodeMilliseconds,
                report.megabytesPerSecond))
    }
}
