import FacetCheckpoint
public import FacetModel
public import FacetPlacement
public import FacetTensor
public import FacetTokenizer
public import Logging

/// How far loading is.
public struct LoadProgress: Sendable, Hashable {
    /// What is being done.
    public enum Phase: String, Sendable, Hashable {
        /// Headers, configuration and tokenizer.
        case reading
        /// Weights are handed to the backend.
        case binding
        /// Cache and scratch memory are taken.
        case allocating
        /// The engine takes requests.
        case ready
    }

    /// What is being done.
    public let phase: Phase

    /// Bytes of weights handed over so far.
    public let finishedByteCount: Int

    /// Bytes of all weights; 0 while unknown.
    public let totalByteCount: Int

    /// Time since weights began to load; zero before.
    public let elapsed: Duration

    /// Bytes per second so far; nil while nothing has been loaded.
    public var byteRate: Double? {
        let seconds = elapsed / .seconds(1)
        return finishedByteCount > 0 && seconds > 0 ? Double(finishedByteCount) / seconds : nil
    }

    /// Time until all weights are loaded, at the rate so far; nil while there is none.
    public var remaining: Duration? {
        byteRate.map { .seconds(Double(totalByteCount - finishedByteCount) / $0) }
    }
}

/// A model that takes requests.
public struct LoadedModel: Sendable {
    /// Takes requests.
    public let engine: Engine

    /// Makes prompts for it.
    public let prompts: PromptBuilder

    /// Text to ids and back.
    public let tokenizer: Tokenizer

    /// The model's recipe.
    public let configuration: GLM4VConfiguration

    /// What the checkpoint recommends.
    public let defaults: GenerationDefaults

    /// Type of activations and cache.
    public let dtype: DType

    /// How weights are kept in memory.
    public let residency: WeightResidency

    /// Bytes of all weights.
    public let weightByteCount: Int

    /// The memory that was taken besides the weights, as on one device; `devices` has the terms of each.
    public let memory: [MemoryTerm]

    /// Which unit is on which device.
    public let placement: Placement

    /// What each device was expected to hold, and what it held after loading and profiling.
    public let devices: [DeviceReport]

    /// How long loading took.
    public let loadDuration: Duration

    /// Sampling as the checkpoint recommends.
    public var defaultSampling: SamplingParameters { SamplingParameters(defaults) }
}

/// Makes a ready engine of a checkpoint: configuration, tokenizer, weights, memory, in this order.
///
/// Nothing large is read or taken before everything small fits together.
public struct ModelLoader {
    /// The model's files.
    public let files: ModelFiles

    /// How to set up the engine.
    public var options: EngineOptions

    /// Where the time comes from.
    public var clock = EngineClock.continuous

    /// Gets counts and durations, never text or pictures; silent unless given.
    public var logger = Logger(label: "facet.engine") { _ in SwiftLogNoOpLogHandler() }

    /// Prepares to load.
    public init(_ files: ModelFiles, options: EngineOptions = EngineOptions()) {
        self.files = files
        self.options = options
    }

    private struct Parts {
        let checkpoint: Checkpoint
        let configuration: GLM4VConfiguration
        let defaults: GenerationDefaults
        let tokenizer: Tokenizer
    }

    /// Loads the model onto a backend.
    ///
    /// - Parameters:
    ///   - backend: computes; it belongs to the engine's thread afterwards.
    ///   - progress: called at every phase and while weights are bound, on the calling thread.
    /// - Throws: `EngineError`, with what the layers below report.
    public func load(
        onto backend: sending any Backend, progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) throws(EngineError) -> LoadedModel {
        try load(onto: [backend], placement: nil, progress: progress)
    }

    /// Loads the model onto devices, each unit onto that of its placement.
    ///
    /// Every device is asked whether its budget is enough before a weight is read. The devices load at the same time.
    /// After an error, or when the calling task is cancelled, nothing stays in their memory.
    /// - Parameters:
    ///   - devices: compute; they belong to the engine's thread afterwards.
    ///   - placement: names the devices by their index; nil for everything on the first.
    ///   - progress: called at every phase and while weights are loaded, on the calling thread.
    /// - Throws: `EngineError`, with what the layers below report.
    public func load(
        onto devices: sending [any Backend], placement: Placement?,
        progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) throws(EngineError) -> LoadedModel {
        let start = clock.now()
        progress(LoadProgress(phase: .reading, finishedByteCount: 0, totalByteCount: 0, elapsed: .zero))
        let parts = try read()
        let (source, configuration) = try weights(parts)
        let dtype = try options.activationDType(configuration)
        let limits = try options.modelLimits(configuration)
        let context = try options.contextLimits(configuration, recommendedLength: parts.defaults.maximumLength)
        let memory = limits.byteCounts(configuration: configuration, dtype: dtype)
        let countsWeights = devices.contains { $0.memoryUse?.countsWeights ?? false }
        let residency = residency(weightByteCount: source.byteCount, memory, countsWeights: countsWeights)
        let prompts = try PromptBuilder(
            tokenizer: parts.tokenizer, configuration: configuration, context: context)

        let placement = placement ?? .single(configuration)
        let weights: [UnitName: UnitWeightSize]
        do {
            try placement.check(configuration, deviceCount: devices.count)
            weights = try ModelInventory(configuration).weightSizes(in: source)
        } catch { throw .model(error) }
        // Without the tensors that published checkpoints hold and nobody loads.
        let total = weights.values.reduce(0) { $0 + $1.byteCount }
        let demands = limits.demands(of: placement, configuration: configuration, dtype: dtype, weights: weights)
        let runner = try Self.runner(
            source, configuration, dtype, limits, devices, placement, demands, residency, total, clock, progress)
        if options.profilesMemory { try runner.profile(withPicture: true) }
        let reports = runner.deviceReports()
        for report in reports {
            guard let refusal = report.streaming?.pinningRefusal else { continue }
            logger.warning("streamed units are copied through the processor", metadata: ["reason": "\(refusal)"])
        }
        let engine = try Engine(
            runner: runner, tokenizer: parts.tokenizer, context: context, limits: options.queue, clock: clock,
            logger: logger)
        let duration = clock.now() - start
        progress(LoadProgress(phase: .ready, finishedByteCount: total, totalByteCount: total, elapsed: duration))
        logger.info(
            "model loaded",
            metadata: ["weight_bytes": "\(source.byteCount)", "dtype": "\(dtype)", "duration": "\(duration)"])
        return LoadedModel(
            engine: engine, prompts: prompts, tokenizer: parts.tokenizer, configuration: configuration,
            defaults: parts.defaults, dtype: dtype, residency: residency, weightByteCount: source.byteCount,
            memory: memory,
            placement: placement, devices: reports, loadDuration: duration)
    }

    /// Loads the weights and takes the memory.
    private static func runner(
        _ source: any WeightSource, _ configuration: GLM4VConfiguration, _ dtype: DType, _ limits: ModelLimits,
        _ devices: sending [any Backend], _ placement: Placement, _ demands: [DeviceDemand],
        _ residency: WeightResidency, _ total: Int, _ clock: EngineClock,
        _ progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws(EngineError) -> sending ModelRunner {
        let start = clock.now()
        let model: GLM4V
        do throws(ModelError) {
            for demand in demands { try demand.check(devices[demand.device]) }
            model = try GLM4V(
                source: source, configuration: configuration, dtype: dtype, devices: devices, placement: placement,
                residency: residency
            ) { (finished) throws(ModelError) in
                if Task.isCancelled { throw .loadingCancelled }
                progress(
                    LoadProgress(
                        phase: .binding, finishedByteCount: finished, totalByteCount: total,
                        elapsed: clock.now() - start))
            }
        } catch { throw .model(error) }
        progress(
            LoadProgress(
                phase: .allocating, finishedByteCount: total, totalByteCount: total, elapsed: clock.now() - start))
        return try ModelRunner(model, limits: limits, demands: demands)
    }

    /// The weights and their recipe, quantized when the options ask for it.
    private func weights(
        _ parts: Parts
    ) throws(EngineError) -> (source: any WeightSource, configuration: GLM4VConfiguration) {
        do {
            return try QuantizingSource.quantizing(parts.checkpoint, parts.configuration, options.quantization)
        } catch { throw .model(error) }
    }

    private func read() throws(EngineError) -> Parts {
        // The checkpoint first: its errors about a missing or empty folder are the clearest.
        let checkpoint = try files.checkpoint()
        let recipe = try files.bytes(of: GLM4VConfiguration.fileName)
        let generation = try files.optionalBytes(of: GenerationDefaults.fileName)
        let configuration: GLM4VConfiguration
        let defaults: GenerationDefaults
        do {
            configuration = try GLM4VConfiguration(parsing: recipe)
            defaults =
                if let generation {
                    try GenerationDefaults(parsing: generation, configuration: configuration)
                } else {
                    GenerationDefaults(configuration)
                }
        } catch { throw .model(error) }
        let tokenizer = try readTokenizer()
        try check(tokenizer, configuration)
        return Parts(
            checkpoint: checkpoint, configuration: configuration, defaults: defaults, tokenizer: tokenizer)
    }

    private func readTokenizer() throws(EngineError) -> Tokenizer {
        let model = try files.bytes(of: "tokenizer.model", limit: 256 << 20)
        let configuration = try files.optionalBytes(of: "tokenizer_config.json")
        do {
            return try Tokenizer(tokenizerModel: model, configuration: configuration)
        } catch { throw .tokenizer(error) }
    }

    private func check(_ tokenizer: Tokenizer, _ configuration: GLM4VConfiguration) throws(EngineError) {
        guard tokenizer.tokenCount <= configuration.vocabularySize else {
            throw .vocabularyMismatch(
                tokenizerCount: tokenizer.tokenCount, modelCount: configuration.vocabularySize)
        }
        let special = tokenizer.specialTokens
        let pairs = [
            (SpecialToken.beginOfImage, special.beginOfImage, configuration.beginOfImageID),
            (SpecialToken.endOfImage, special.endOfImage, configuration.endOfImageID),
        ]
        for (token, tokenizerID, configurationID) in pairs where tokenizerID != configurationID {
            throw .specialTokenMismatch(
                token: token.rawValue, tokenizerID: tokenizerID, configurationID: configurationID)
        }
        if let size = tokenizer.imageSize, size != configuration.imageSize {
            throw .imageSizeMismatch(tokenizerSize: size, configurationSize: configuration.imageSize)
        }
    }

    private func residency(
        weightByteCount: Int, _ memory: [MemoryTerm], countsWeights: Bool
    ) -> WeightResidency {
        if let residency = options.residency { return residency }
        guard let available = SystemMemory.availableByteCount() else { return .mapped }
        let taken = memory.reduce(0) { $0 + $1.byteCount }
        let automatic = WeightResidency.automatic(
            weightByteCount: weightByteCount, memoryByteCount: available - taken)
        // Where budgets count the weights they stay as they are stored, on all devices alike: no division of the model
        // changes an answer.
        return countsWeights && automatic == .packed ? .mapped : automatic
    }
}
