import FacetComparison
import FacetEngine
import FacetTerminal
import Foundation

/// What `facet bench model` prints: medians and spreads over the rounds.
struct ModelBenchmarkReport: Encodable {
    struct Figure: Encodable {
        let median: Double
        let fastest: Double
        let slowest: Double

        init(_ seconds: [Double], _ convert: (Double) -> Double) {
            let time = Measurement(seconds: seconds.sorted())
            median = convert(time.median)
            fastest = convert(time.fastest)
            slowest = convert(time.slowest)
        }

        func text(_ unit: String) -> String {
            String(format: "%.2f %@ (%.2f … %.2f)", median, unit, fastest, slowest)
        }
    }

    let model: String
    let processor: String
    let threads: Int
    let dtype: String
    let weightBytes: Int
    let promptTokens: Int
    let newTokens: Int
    let imageSeconds: Figure?
    let imageBesideAnswerSeconds: Figure?
    let answerBesideImageTokensPerSecond: Figure?
    let prefillTokensPerSecond: Figure
    let decodeTokensPerSecond: Figure
    let requests: Int
    let togetherTokensPerSecond: Figure?
    let peakMemoryBytes: Int?
    let devices: [DeviceUseReport]
    let cards: [CardReport]?

    /// The same speeds in the form of the peers' files, with limits where they were measured.
    var figures: [SpeedFigure] = []
    var comparison: SpeedComparison?

    init(
        model: String, processor: String, threads: Int, dtype: String, weightByteCount: Int, promptTokens: Int,
        newTokens: Int, requests: Int, peakMemoryByteCount: Int?, devices: [DeviceReport],
        cards: [CardReport], _ benchmark: ModelBenchmark
    ) {
        self.model = model
        self.processor = processor
        self.threads = threads
        self.dtype = dtype
        weightBytes = weightByteCount
        self.promptTokens = promptTokens
        self.newTokens = newTokens
        imageSeconds = benchmark.imageSeconds.isEmpty ? nil : Figure(benchmark.imageSeconds) { $0 }
        let beside = benchmark.beside
        imageBesideAnswerSeconds = beside.isEmpty ? nil : Figure(beside.map(\.imageSeconds)) { $0 }
        answerBesideImageTokensPerSecond =
            beside.isEmpty ? nil : Figure(beside.map { $0.imageSeconds / Double(max(1, $0.tokenCount)) }) { 1 / $0 }
        prefillTokensPerSecond = Figure(benchmark.prefillSeconds) { Double(promptTokens) / $0 }
        decodeTokensPerSecond = Figure(benchmark.tokens.seconds) { 1 / $0 }
        self.requests = requests
        togetherTokensPerSecond =
            benchmark.togetherSeconds.isEmpty
            ? nil : Figure(benchmark.togetherSeconds) { Double(requests * (promptTokens + newTokens)) / $0 }
        peakMemoryBytes = peakMemoryByteCount
        self.devices = devices.map { DeviceUseReport($0) }
        self.cards = cards.isEmpty ? nil : cards
    }

    /// The report as lines for people.
    var text: String {
        var table = TextTable([("phase", .left), ("median (fastest … slowest)", .left)])
        if let imageSeconds { table.append(["picture", imageSeconds.text("s")]) }
        if let imageBesideAnswerSeconds, let answerBesideImageTokensPerSecond {
            table.append(["picture beside an answer", imageBesideAnswerSeconds.text("s")])
            table.append(["answer beside a picture", answerBesideImageTokensPerSecond.text("tokens/s")])
        }
        table.append(["prefill of \(promptTokens)", prefillTokensPerSecond.text("tokens/s")])
        table.append(["decode of \(newTokens)", decodeTokensPerSecond.text("tokens/s")])
        if let togetherTokensPerSecond {
            table.append(["\(requests) requests together", togetherTokensPerSecond.text("tokens/s, read and written")])
        }
        let size = String(format: "%.2f GB", Double(weightBytes) / 1e9)
        let cards = (cards ?? []).map { $0.sentence + "\n" }.joined()
        let machine = threads > 0 ? "\(processor); \(threads) threads\n" : ""
        return "\(model), \(size) of weights, \(dtype)\n\(machine)\(cards)\n\(table.text)"
            + comparisonText
    }

    /// Our figures with the fractions of the limits, and peers' figures beside them.
    private var comparisonText: String {
        guard comparison != nil || figures.contains(where: { $0.limit != nil }) else { return "" }
        return "\n" + (comparison ?? SpeedComparison(ours: figures, peers: [])).text
    }
}
