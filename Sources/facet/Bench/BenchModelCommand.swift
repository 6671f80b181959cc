import ArgumentParser
import FacetComparison
import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTerminal

/// A whole model's speed: encoding a picture, reading a prompt, generating.
struct BenchModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Measure picture encoding, prefill and decoding of a checkpoint or of random weights.",
        discussion: """
            Without --model, --preset or --config the embedded demo model is measured. A preset or a config.json is \
            filled with random numbers; --layers N keeps N layers of the decoder and of the vision tower at their \
            full size. --limits measures what the machine can do right before and after, and reading of memory \
            between the tokens, and prints fractions of it.
            """
    )

    @OptionGroup(title: "Model")
    var model: ModelArguments

    @Option(help: ArgumentHelp("Sizes of a known model with random weights: glm-4v-9b.", valueName: "name"))
    var preset: String?

    @Option(help: ArgumentHelp("Sizes of a config.json with random weights.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Layers of the preset's or file's decoder and vision tower.", valueName: "n"))
    var layers: Int?

    @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
    var promptTokens = 512

    @Option(help: ArgumentHelp("Tokens to generate.", valueName: "n"))
    var newTokens = 32

    @Option(help: ArgumentHelp("Requests that are answered at the same time, for the throughput.", valueName: "n"))
    var requests = 1

    @Option(help: ArgumentHelp("Times that everything is repeated.", valueName: "n"))
    var repeats = 3

    @Flag(inversion: .prefixedNo, help: "Encode a picture, too.")
    var image = true

    @Flag(help: "Measure the machine's limits before and after, and print fractions of them.")
    var limits = false

    @OptionGroup
    var comparison: ComparisonArguments

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try validateSizes()
        let peers = try comparison.figures()
        let original = try chosenConfiguration()
        let types = try TypeOption(model.dtype)
        let configuration = try types.weights.flatMap { try original.quantized($0) } ?? original
        let dtype = types.activations ?? configuration.publishedDType
        let sizes = try modelLimits(configuration)
        let choice = try model.device.choice {
            ModelSizes(configuration: configuration, dtype: dtype, limits: sizes)
        }
        let progress = ProgressLine()
        if choice?.devices.machine != nil { progress.show("Starting the cards …") }
        let (devices, cards) = try Backends.start(choice, threads: model.threads)
        progress.clear()
        progress.show("Loading …")
        // Random weights are made in the precision that is asked for, on the device that they are for.
        let source: any WeightSource =
            isRandom
            ? try RandomWeights(configuration)
            : try QuantizingSource.quantizing(
                ModelFolder.files(model.model).checkpoint(), original, types.weights
            ).source
        let placement = choice?.placement ?? .single(configuration)
        let network = try GLM4V(
            source: source, configuration: configuration, dtype: dtype, devices: devices, placement: placement,
            residency: residency(source, devices))
        let weightSizes = try ModelInventory(configuration).weightSizes(in: source)
        let demands = sizes.demands(
            of: placement, configuration: configuration, dtype: dtype,
            weights: weightSizes)
        // What the processor can do says nothing of cards.
        guard cards.isEmpty || !limits else {
            throw CommandError.invalidOption(
                name: "--limits", expected: "left out with cards: it measures the processor", got: "there")
        }
        let measuresLimits = cards.isEmpty && (limits || peers != nil)
        let limitBackend = measuresLimits ? try Backends.cpu(threads: model.threads) : nil
        let reading = try limitBackend.map { try ReadProbe($0) }
        var benchmark = ModelBenchmark(
            runner: try ModelRunner(network, limits: sizes, demands: demands), configuration: configuration,
            timesLayers: choice == nil, reading: reading)
        var machineLimits = try limitBackend.map { [try MachineLimits.measure($0, reading: reading)] } ?? []
        for round in 1...repeats {
            progress.show("Round \(round) of \(repeats) …")
            try benchmark.runRound(promptTokens: promptTokens, newTokens: newTokens, withImage: image)
            if image { try benchmark.runBeside(position: promptTokens + newTokens - 1) }
            if requests > 1 {
                try benchmark.runTogether(requests, promptTokens: promptTokens, newTokens: newTokens)
            }
        }
        let peakMemory = PeakMemory.byteCount
        if let limitBackend { machineLimits.append(try MachineLimits.measure(limitBackend, reading: reading)) }
        progress.clear()
        let threads = Backends.threadCount(devices)
        let work = try ModelWork(
            configuration, weightSizes, dtype: dtype, precision: types.name ?? dtype.rawValue, threads: threads,
            limits: machineLimits)
        var report = ModelBenchmarkReport(
            model: name(configuration) ?? source.location,
            processor: CPUFeatures().modelName, threads: threads, dtype: types.name ?? dtype.rawValue,
            weightByteCount: source.byteCount, promptTokens: promptTokens, newTokens: newTokens, requests: requests,
            peakMemoryByteCount: peakMemory, devices: choice == nil ? [] : benchmark.runner.deviceReports(),
            cards: cards, benchmark)
        report.figures = work.figures(benchmark, promptTokens: promptTokens, newTokens: newTokens, requests: requests)
        report.comparison = peers.map { SpeedComparison(ours: report.figures, peers: $0) }
        if json { try JSONOutput.print(report) } else { try StandardOutput.write(report.text) }
    }

    private func residency(_ source: any WeightSource, _ devices: [any Backend]) -> WeightResidency {
        guard !devices.countWeights else { return .mapped }
        return .automatic(
            weightByteCount: source.byteCount, memoryByteCount: SystemMemory.availableByteCount() ?? .max)
    }

    /// Whether the weights are random numbers.
    private var isRandom: Bool { preset != nil || config != nil }

    /// What a model of random numbers is called.
    private func name(_ configuration: GLM4VConfiguration) -> String? {
        (preset ?? config).map { "\($0), \(configuration.layerCount) + \(configuration.vision.layerCount) layers" }
    }

    private func modelLimits(_ configuration: GLM4VConfiguration) throws -> ModelLimits {
        var limits = ModelLimits(configuration: configuration, tokenCount: promptTokens + newTokens + 1)
        limits.maxSequences = requests
        limits.maxSampledRows = requests
        limits.pageCount *= requests
        limits.quantizesCache = try model.cache.quantizes()
        return limits
    }

    private func validateSizes() throws {
        guard (1...64).contains(requests) else {
            throw CommandError.invalidOption(name: "--requests", expected: "1 to 64", got: "\(requests)")
        }
        let sizes = [("--prompt-tokens", promptTokens), ("--new-tokens", newTokens), ("--repeats", repeats)]
        for (name, value) in sizes where value < 1 || value > 100_000 {
            throw CommandError.invalidOption(name: name, expected: "1 to 100000", got: "\(value)")
        }
    }

    private func chosenConfiguration() throws -> GLM4VConfiguration {
        let known = try wholeConfiguration()
        guard let layers else { return try checked(known) }
        guard isRandom else {
            throw CommandError.invalidOption(
                name: "--layers", expected: "left out without --preset or --config", got: "\(layers)")
        }
        guard (1...known.layerCount).contains(layers) else {
            throw CommandError.invalidOption(name: "--layers", expected: "1 to \(known.layerCount)", got: "\(layers)")
        }
        return try checked(known.withLayerCounts(decoder: layers, vision: layers))
    }

    /// What was asked for, before `--layers`.
    private func wholeConfiguration() throws -> GLM4VConfiguration {
        let choices = [model.model, preset, config].compactMap(\.self)
        guard choices.count <= 1 else {
            throw CommandError.invalidOption(
                name: "--model, --preset and --config", expected: "one of the three",
                got: choices.map { "'\($0)'" }.joined(separator: ", "))
        }
        if let config { return try Self.configuration(file: config) }
        guard let preset else {
            let recipe = try ModelFolder.files(model.model).bytes(of: GLM4VConfiguration.fileName)
            return try GLM4VConfiguration(parsing: recipe)
        }
        guard let known = GLM4VConfiguration.presets[preset] else {
            let names = GLM4VConfiguration.presets.keys.sorted().joined(separator: ", ")
            throw CommandError.invalidOption(name: "--preset", expected: "one of \(names)", got: "'\(preset)'")
        }
        return known
    }

    private static func configuration(file: String) throws -> GLM4VConfiguration {
        try GLM4VConfiguration(parsing: InputFile.bytes(file), file: file)
    }

    private func checked(_ configuration: GLM4VConfiguration) throws -> GLM4VConfiguration {
        let limit = configuration.positionLimit
        guard promptTokens + newTokens <= limit else {
            throw CommandError.invalidOption(
                name: "--prompt-tokens and --new-tokens", expected: "at most \(limit) together",
                got: "\(promptTokens + newTokens)")
        }
        return configuration
    }
}
