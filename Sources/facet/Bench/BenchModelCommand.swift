import ArgumentParser
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
            Without --model or --preset the embedded demo model is measured. A preset with --layers N keeps N layers \
            of the decoder and of the vision tower at their full size and fills them with random numbers.
            """
    )

    @OptionGroup(title: "Model")
    var model: ModelArguments

    @Option(help: ArgumentHelp("Sizes of a known model with random weights: glm-4v-9b.", valueName: "name"))
    var preset: String?

    @Option(help: ArgumentHelp("Layers of the preset's decoder and vision tower.", valueName: "n"))
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

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try validateSizes()
        let original = try chosenConfiguration()
        let types = try TypeOption(model.dtype)
        let configuration = try types.weights.flatMap { try original.quantized($0) } ?? original
        let dtype = types.activations ?? configuration.publishedDType
        let limits = self.limits(configuration)
        let choice = try model.device.choice(configuration, dtype: dtype, limits: limits)
        let devices = try Backends.devices(choice?.budgets, threads: model.threads)
        let progress = ProgressLine()
        progress.show("Loading …")
        let stored: any WeightSource =
            preset == nil ? try ModelFolder.files(model.model).checkpoint() : try RandomWeights(original)
        let source = try QuantizingSource.quantizing(stored, original, types.weights).source
        let placement = choice?.placement ?? .single(configuration)
        let network = try GLM4V(
            source: source, configuration: configuration, dtype: dtype, devices: devices, placement: placement)
        let demands = limits.demands(
            of: placement, configuration: configuration, dtype: dtype,
            weights: try ModelInventory(configuration).weightSizes(in: source))
        var benchmark = ModelBenchmark(
            runner: try ModelRunner(network, limits: limits, demands: demands), configuration: configuration)
        for round in 1...repeats {
            progress.show("Round \(round) of \(repeats) …")
            try benchmark.runRound(promptTokens: promptTokens, newTokens: newTokens, withImage: image)
            if requests > 1 {
                try benchmark.runTogether(requests, promptTokens: promptTokens, newTokens: newTokens)
            }
        }
        progress.clear()
        let report = ModelBenchmarkReport(
            model: preset.map { "\($0), \(configuration.layerCount) + \(configuration.vision.layerCount) layers" }
                ?? source.location,
            processor: CPUFeatures().modelName, threads: Backends.threadCount(devices),
            dtype: types.name ?? dtype.rawValue,
            weightByteCount: source.byteCount, promptTokens: promptTokens, newTokens: newTokens, requests: requests,
            devices: choice == nil ? [] : benchmark.runner.deviceReports(), benchmark)
        if json { try JSONOutput.print(report) } else { try StandardOutput.write(report.text) }
    }

    private func limits(_ configuration: GLM4VConfiguration) -> ModelLimits {
        var limits = ModelLimits(configuration: configuration, tokenCount: promptTokens + newTokens + 1)
        limits.maxSequences = requests
        limits.maxSampledRows = requests
        limits.pageCount *= requests
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
        guard let preset else {
            let recipe = try ModelFolder.files(model.model).bytes(of: GLM4VConfiguration.fileName)
            return try checked(GLM4VConfiguration(parsing: recipe))
        }
        guard let known = GLM4VConfiguration.presets[preset] else {
            let names = GLM4VConfiguration.presets.keys.sorted().joined(separator: ", ")
            throw CommandError.invalidOption(name: "--preset", expected: "one of \(names)", got: "'\(preset)'")
        }
        guard let layers else { return try checked(known) }
        guard (1...known.layerCount).contains(layers) else {
            throw CommandError.invalidOption(name: "--layers", expected: "1 to \(known.layerCount)", got: "\(layers)")
        }
        return try checked(known.withLayerCounts(decoder: layers, vision: layers))
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

/// Runs rounds on a runner and keeps their times.
struct ModelBenchmark {
    let runner: ModelRunner
    let configuration: GLM4VConfiguration
    private(set) var imageSeconds: [Double] = []
    private(set) var prefillSeconds: [Double] = []
    private(set) var tokenSeconds: [Double] = []
    private(set) var togetherSeconds: [Double] = []

    init(runner: ModelRunner, configuration: GLM4VConfiguration) {
        self.runner = runner
        self.configuration = configuration
    }

    /// Encodes a gray picture, prefills ids that repeat, and decodes greedily.
    mutating func runRound(promptTokens: Int, newTokens: Int, withImage: Bool) throws {
        let clock = ContinuousClock()
        if withImage {
            let side = configuration.imageSize
            let pixels = [Float](repeating: 0.1, count: configuration.vision.channelCount * side * side)
            let image = ImageID(0)
            imageSeconds.append(try clock.measure { try runner.prepare(image, pixels: pixels) { _ in } }.seconds)
            runner.release(image)
        }
        prefillSeconds.append(
            try clock.measure {
                for start in stride(from: 0, to: promptTokens, by: runner.limits.maxRows) {
                    let end = min(start + runner.limits.maxRows, promptTokens)
                    _ = try runner.forward(batch(start..<end, isLast: end == promptTokens))
                }
            }.seconds)
        for position in promptTokens..<promptTokens + newTokens {
            let step = try clock.measure { _ = try runner.forward(batch(position..<position + 1, isLast: true)) }
            tokenSeconds.append(step.seconds)
        }
    }

    /// Answers several requests at the same time: their prompts in chunks, then their tokens, as many batches in
    /// progress as the devices allow.
    mutating func runTogether(_ count: Int, promptTokens: Int, newTokens: Int) throws {
        let depth = min(runner.pipelineDepth, count)
        let groups = (0..<depth).map { Array(stride(from: $0, to: count, by: depth)) }
        var inProgress = 0
        func enqueue(_ batch: ForwardBatch) throws {
            if inProgress == runner.pipelineDepth {
                _ = try runner.collect()
                inProgress -= 1
            }
            try runner.enqueue(batch)
            inProgress += 1
        }
        let time = try ContinuousClock().measure {
            for sequence in 0..<count {
                for start in stride(from: 0, to: promptTokens, by: runner.limits.maxRows) {
                    let end = min(start + runner.limits.maxRows, promptTokens)
                    try enqueue(batch(start..<end, of: [sequence], isLast: end == promptTokens))
                }
            }
            for position in promptTokens..<promptTokens + newTokens {
                for group in groups { try enqueue(batch(position..<position + 1, of: group, isLast: true)) }
            }
            for _ in 0..<inProgress { _ = try runner.collect() }
        }
        togetherSeconds.append(time.seconds)
    }

    /// Rows at consecutive positions of the first sequence.
    private func batch(_ positions: Range<Int>, isLast: Bool) -> ForwardBatch {
        batch(positions, of: [0], isLast: isLast)
    }

    /// Rows at consecutive positions of some sequences, whose pages follow each other in order.
    private func batch(_ positions: Range<Int>, of sequences: [Int], isLast: Bool) -> ForwardBatch {
        let pageSize = runner.limits.pageSize
        let pagesEach = runner.limits.pageCount / runner.limits.maxSequences
        let pageCount = (positions.upperBound + pageSize - 1) / pageSize
        var batch = ForwardBatch()
        for sequence in sequences {
            let firstSlot = Int32(sequence * pagesEach * pageSize)
            batch.tokenIDs += positions.map { Int32($0 * 31 % configuration.vocabularySize) }
            batch.positions += positions.map { Int32($0) }
            batch.slots += positions.map { firstSlot + Int32($0) }
            batch.offsets.append(Int32(batch.rowCount))
            batch.contextLengths.append(Int32(positions.upperBound))
            batch.pages.append((0..<pageCount).map { Int32(sequence * pagesEach + $0) })
            if isLast { batch.sampledRows.append(Int32(batch.rowCount - 1)) }
        }
        return batch
    }
}
