import ArgumentParser
import FacetDemo
import FacetEngine
import FacetModel
import FacetPlanReport
import FacetTensor
import FacetTerminal
import FacetTokenizer
import Foundation

/// Options that say which model runs, and how.
struct ModelArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Checkpoint folder, such as glm-4v-9b; the embedded demo model without it.", valueName: "dir"))
    var model: String?

    @Option(
        help: ArgumentHelp(
            "float32 or bfloat16, or int8, int4 or fp8 to quantize while loading, also by part: "
                + "'vision=int8,decoder=int4'; what the checkpoint says without it.",
            valueName: "type"))
    var dtype: String?

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Tokens that a conversation may have, a picture's included.", valueName: "n"))
    var context: Int?

    @OptionGroup
    var cache: CacheArguments

    @OptionGroup
    var device: DeviceArguments

    /// A model that is ready, and what it took.
    struct Loaded {
        let model: LoadedModel
        let location: String
        let duration: Duration
        let plan: PlanReport?
        let cards: [CardReport]
    }

    /// Loads the model, showing progress on a terminal.
    func load(_ progress: ProgressLine) async throws -> Loaded {
        let files = ModelFolder.files(model)
        var options = EngineOptions()
        let types = try TypeOption(dtype)
        (options.dtype, options.quantization) = (types.activations, types.weights)
        options.contextTokens = context
        options.quantizesCache = try cache.quantizes()
        var choice = try device.choice(files, options)
        if !types.namesActivations {
            choice?.preferFloat16()
            if choice?.dtype == .float16 { options.dtype = .float16 }
        }
        options.profilesMemory = choice?.isTriedOut ?? false
        if choice?.devices.machine != nil { progress.show("Starting the cards …") }
        let (devices, cards) = try Backends.start(choice, threads: threads)
        progress.clear()
        for card in cards { Terminal.error.write("facet: \(card.sentence)\n") }
        let loader = ModelLoader(files, options: options)
        let loaded = try loader.load(onto: devices, placement: choice?.placement) { progress.show(Self.text($0)) }
        progress.clear()
        if options.profilesMemory {
            for report in loaded.devices { Terminal.error.write("facet: \(report.sentence)\n") }
        }
        return Loaded(
            model: loaded, location: files.location, duration: loaded.loadDuration, plan: choice?.report, cards: cards)
    }

    private static func text(_ progress: LoadProgress) -> String {
        guard progress.totalByteCount > 0 else { return "Reading the model …" }
        let gigabytes = Double(progress.totalByteCount) / 1e9
        let share = 100 * Double(progress.finishedByteCount) / Double(progress.totalByteCount)
        let rate = progress.byteRate.map { String(format: ", %.2f GB/s", $0 / 1e9) } ?? ""
        let remaining = progress.remaining.map { String(format: ", %.0f s left", $0.seconds) } ?? ""
        return "Loading \(String(format: "%.2f", gigabytes)) GB … \(Int(share)) %\(rate)\(remaining)"
    }
}

/// A model named on the command line.
enum ModelFolder {
    /// The files of a folder, or of the embedded demo model when none is named.
    static func files(_ folder: String?) -> ModelFiles {
        folder.map { ModelFiles(folder: FilePath.expanded($0)) } ?? DemoModel.files
    }

    /// The tokenizer of a model.
    static func tokenizer(_ folder: String?) throws -> Tokenizer {
        let files = files(folder)
        return try Tokenizer(
            tokenizerModel: try files.bytes(of: "tokenizer.model", limit: 256 << 20),
            configuration: try files.optionalBytes(of: "tokenizer_config.json"))
    }
}
