import FacetCheckpoint
public import FacetEngine
import FacetJSON
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTokenizer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads what a checkpoint folder holds, and what running it asks of this machine; no weight is read.
public struct ModelProbe: Sendable {
    private let folder: String
    private let files: ModelFiles
    private let options: EngineOptions
    private let roots: SystemRoots

    /// Names the folder.
    ///
    /// - Parameter options: how the model would be run.
    public init(folder: String, options: EngineOptions = EngineOptions(), _ roots: SystemRoots = .standard) {
        self.folder = folder
        files = ModelFiles(folder: folder)
        self.options = options
        self.roots = roots
    }

    /// The facts; each part is read even when another is wrong.
    public func facts() -> ModelFacts {
        var facts = ModelFacts()
        facts.location = folder
        fileSystem(&facts)
        let checkpoint = Self.value(&facts.filesProblem) { try files.checkpoint() }
        let recipe = Self.value(&facts.configurationProblem) { try files.bytes(of: GLM4VConfiguration.fileName) }
        let configuration = recipe.flatMap { bytes in
            Self.value(&facts.configurationProblem) { try GLM4VConfiguration(parsing: bytes) }
        }
        facts.unknownFields = recipe.flatMap(Self.unknownFields)
        if let checkpoint { tensors(checkpoint, configuration, &facts) }
        if let checkpoint, let configuration { memory(checkpoint, configuration, &facts) }
        let tokenizer = Self.value(&facts.tokenizerProblem) {
            try Tokenizer(
                tokenizerModel: files.bytes(of: "tokenizer.model", limit: 256 << 20),
                configuration: files.optionalBytes(of: "tokenizer_config.json"))
        }
        facts.tokenCount = tokenizer?.tokenCount
        return facts
    }

    /// The configuration when it can be read; for plans.
    func configuration() -> GLM4VConfiguration? {
        guard let recipe = try? files.bytes(of: GLM4VConfiguration.fileName) else { return nil }
        return try? GLM4VConfiguration(parsing: recipe)
    }

    private func fileSystem(_ facts: inout ModelFacts) {
        guard let path = SystemFile.realPath(folder) else { return }
        facts.fileSystem = SystemFile.text("\(roots.proc)/self/mountinfo", limit: 4 << 20)
            .flatMap { MountTable($0).kind(of: path) }
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        facts.freeDiskBytes = Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    }

    private func tensors(_ checkpoint: Checkpoint, _ configuration: GLM4VConfiguration?, _ facts: inout ModelFacts) {
        facts.fileCount = checkpoint.files.count
        facts.tensorCount = checkpoint.tensors.count
        facts.weightBytes = checkpoint.byteCount
        facts.bytesByDtype = Dictionary(
            checkpoint.tensors.map { ($0.dtype.rawValue, $0.byteCount) }, uniquingKeysWith: +)
        guard let configuration else { return }
        _ = Self.value(&facts.tensorsProblem) {
            try InventoryReport(try ModelInventory(configuration), checkpoint).check()
        }
    }

    /// What `facet run` would take, and how it would keep the weights.
    private func memory(_ checkpoint: Checkpoint, _ configuration: GLM4VConfiguration, _ facts: inout ModelFacts) {
        guard let dtype = try? options.activationDType(configuration),
            let limits = try? options.modelLimits(configuration),
            let inventory = try? ModelInventory(configuration)
        else { return }
        let sizes = inventory.weightSizes(in: checkpoint)
        let demands = limits.demands(
            of: .single(configuration), configuration: configuration, dtype: dtype, weights: sizes)
        let work = demands.reduce(0) { $0 + $1.byteCountWithoutWeights }
        facts.weightBytes = sizes.values.reduce(0) { $0 + $1.byteCount }
        facts.workBytes = work
        facts.residency = SystemMemory.availableByteCount().map { available in
            WeightResidency.automatic(weightByteCount: checkpoint.byteCount, memoryByteCount: available - work).rawValue
        }
    }

    /// Fields that neither the configuration's reader takes nor training or the publisher's own code leave behind.
    private static func unknownFields(_ recipe: [UInt8]) -> [String]? {
        guard let object = (try? JSONValue(parsing: recipe))?.object else { return nil }
        return object.members.map(\.key).filter { !readFields.contains($0) && !harmlessFields.contains($0) }
    }

    private static let readFields: Set<String> = [
        "add_bias_linear", "add_qkv_bias", "apply_residual_connection_post_layernorm", "boi_token_id", "eoi_token_id",
        "eos_token_id", "ffn_hidden_size", "fp32_residual_connection", "hidden_size", "kv_channels",
        "layernorm_epsilon", "model_type", "multi_query_attention", "multi_query_group_num", "num_attention_heads",
        "num_layers", "original_rope", "pad_token_id", "padded_vocab_size", "post_layer_norm", "pre_seq_len",
        "quantization_config", "rmsnorm", "rope_ratio", "seq_length", "tie_word_embeddings", "torch_dtype",
        "vision_config",
    ]

    private static let harmlessFields: Set<String> = [
        "_name_or_path", "apply_query_key_layer_scaling", "architectures", "attention_dropout",
        "attention_softmax_in_fp32", "attn_implementation", "auto_map", "bias_dropout_fusion", "classifier_dropout",
        "hidden_dropout", "num_hidden_layers", "prefix_projection", "transformers_version", "use_cache", "vocab_size",
    ]

    /// A result, or nil with the error's sentence left behind.
    private static func value<Value>(_ problem: inout String?, _ body: () throws -> Value) -> Value? {
        do {
            return try body()
        } catch {
            problem = "\(error)"
            return nil
        }
    }
}
