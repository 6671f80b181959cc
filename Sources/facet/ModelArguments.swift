import ArgumentParser
import FacetDemo
import FacetEngine
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

    @Option(help: ArgumentHelp("float32 or bfloat16; what the checkpoint says without it.", valueName: "type"))
    var dtype: String?

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Tokens that a conversation may have, a picture's included.", valueName: "n"))
    var context: Int?

    /// A model that is ready, and what it took.
    struct Loaded {
        let model: LoadedModel
        let location: String
        let duration: Duration
    }

    /// Loads the model, showing progress on a terminal.
    func load(_ progress: ProgressLine) async throws -> Loaded {
        let files = ModelFolder.files(model)
        var options = EngineOptions()
        options.dtype = try ModelFolder.dtype(dtype)
        options.contextTokens = context
        let loader = ModelLoader(files, options: options)
        let backend = try Backends.cpu(threads: threads)
        let loaded = try loader.load(onto: backend) { progress.show(Self.text($0)) }
        progress.clear()
        return Loaded(model: loaded, location: files.location, duration: loaded.loadDuration)
    }

    private static func text(_ progress: LoadProgress) -> String {
        guard progress.totalByteCount > 0 else { return "Reading the model …" }
        let gigabytes = Double(progress.totalByteCount) / 1e9
        let share = 100 * Double(progress.finishedByteCount) / Double(progress.totalByteCount)
        return "Loading \(String(format: "%.2f", gigabytes)) GB … \(Int(share)) %"
    }
}

/// A model named on the command line.
enum ModelFolder {
    /// The files of a folder, or of the embedded demo model when none is named.
    static func files(_ folder: String?) -> ModelFiles {
        folder.map { ModelFiles(folder: FilePath.expanded($0)) } ?? DemoModel.files
    }

    /// A dtype by its name.
    ///
    /// - Throws: `CommandError.invalidOption`.
    static func dtype(_ name: String?) throws -> DType? {
        guard let name, name != "auto" else { return nil }
        let aliases = ["bf16": DType.bfloat16, "fp32": .float32, "f32": .float32]
        guard let dtype = aliases[name] ?? DType(rawValue: name), [.float32, .bfloat16].contains(dtype) else {
            throw CommandError.invalidOption(
                name: "--dtype", expected: "auto, float32 or bfloat16", got: "'\(name)'")
        }
        return dtype
    }

    /// The tokenizer of a model.
    static func tokenizer(_ folder: String?) throws -> Tokenizer {
        let files = files(folder)
        return try Tokenizer(
            tokenizerModel: try files.bytes(of: "tokenizer.model", limit: 256 << 20),
            configuration: try files.optionalBytes(of: "tokenizer_config.json"))
    }
}
