import ArgumentParser
import FacetEngine
import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// Options that say what a plan is made for: the model and the work.
struct PlanWorkloadArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Checkpoint folder; only its config.json is read.", valueName: "dir"))
    var model: String?

    @Option(help: ArgumentHelp("A published model by name; glm-4v-9b when no folder is given.", valueName: "name"))
    var preset: String?

    @Option(
        help: ArgumentHelp(
            "float32, bfloat16, float16, fp8, int8 or int4; by part: 'vision=bfloat16,decoder=int8'.",
            valueName: "type"))
    var dtype: String?

    @Option(
        name: [.customLong("cache-dtype"), .customLong("kv-dtype")],
        help: ArgumentHelp("How keys and values are kept: float32, bfloat16, fp8 or int8.", valueName: "type"))
    var cacheDtype: String?

    @Option(help: ArgumentHelp("Sequences at the same time.", valueName: "n"))
    var sequences = 1

    @Option(help: ArgumentHelp("Pictures of each sequence.", valueName: "n"))
    var images = 1

    @Option(help: ArgumentHelp("Text tokens of each prompt, pictures not counted.", valueName: "n"))
    var tokens = 48

    @Option(name: .customLong("new-tokens"), help: ArgumentHelp("Most tokens of each answer.", valueName: "n"))
    var newTokens = 398

    @Option(name: .customLong("image-batch"), help: ArgumentHelp("Pictures encoded at once.", valueName: "n"))
    var imageBatch = 1

    @Option(help: ArgumentHelp("Tokens of one prefill step.", valueName: "n"))
    var chunk = 512

    @Option(
        name: .customLong("vision-tile"),
        help: ArgumentHelp("Rows of a picture that pass a feed-forward block at once.", valueName: "n"))
    var visionTile = 512

    @Option(help: ArgumentHelp("fused or materialized: whether score matrices are stored.", valueName: "kind"))
    var attention: String?

    /// The model's configuration and its name.
    func configuration() throws -> (configuration: GLM4VConfiguration, name: String) {
        guard model == nil || preset == nil else {
            throw CommandError.invalidOption(name: "--preset", expected: "left out beside --model", got: "there")
        }
        if let model {
            let recipe = try ModelFolder.files(model).bytes(of: GLM4VConfiguration.fileName)
            return (try GLM4VConfiguration(parsing: recipe), ModelFolder.files(model).location)
        }
        let name = preset ?? "glm-4v-9b"
        guard let known = GLM4VConfiguration.presets[name] else {
            let names = GLM4VConfiguration.presets.keys.sorted().joined(separator: ", ")
            throw CommandError.invalidOption(name: "--preset", expected: "one of \(names)", got: "'\(name)'")
        }
        return (known, name)
    }

    /// The precision, by part.
    func precision(_ configuration: GLM4VConfiguration) throws -> PrecisionChoice {
        let published: Precision =
            switch configuration.publishedDType {
            case .float32: .float32
            case .float16: .float16
            default: .bfloat16
            }
        guard let dtype else { return try configuration.storedPrecision() }
        return try PrecisionText.parse(dtype, fallback: published)
    }

    /// The work.
    func workload(_ configuration: GLM4VConfiguration) throws -> Workload {
        let counts = [
            ("--sequences", sequences, 1, 100_000), ("--images", images, 0, 1000), ("--tokens", tokens, 0, 10_000_000),
            ("--new-tokens", newTokens, 0, 10_000_000), ("--image-batch", imageBatch, 1, 1000),
            ("--chunk", chunk, 1, 10_000_000), ("--vision-tile", visionTile, 1, 1_000_000),
        ]
        for (name, value, least, most) in counts where !(least...most).contains(value) {
            throw CommandError.invalidOption(name: name, expected: "\(least) to \(most)", got: "\(value)")
        }
        let rows = images * configuration.imageRowCount + tokens + newTokens
        guard rows > 0, rows <= configuration.positionLimit else {
            throw CommandError.invalidOption(
                name: "--images, --tokens and --new-tokens",
                expected: "1 to \(configuration.positionLimit) rows together, \(configuration.imageRowCount) a picture",
                got: "\(rows)")
        }
        return Workload(
            sequences: sequences, imagesPerSequence: images, textTokens: tokens, newTokens: newTokens,
            prefillChunk: chunk, attention: try choice("--attention", attention) ?? .fused, visionTileRows: visionTile,
            imageBatch: imageBatch, cachePrecision: try choice("--cache-dtype", cacheDtype) ?? .bfloat16)
    }

    /// One of the values of an enumeration, by its name.
    private func choice<Value: CaseIterable & RawRepresentable<String>>(
        _ option: String, _ name: String?
    ) throws -> Value? {
        try name.map { try NamedChoice.value($0, option: option) }
    }
}

/// Options whose value is one of a few words.
enum NamedChoice {
    /// The value of a word.
    ///
    /// - Throws: `PlacementInputError.unknown` with the nearest word.
    static func value<Value: CaseIterable & RawRepresentable<String>>(_ word: String, option: String) throws -> Value {
        guard let value = Value(rawValue: word) else {
            let words = Value.allCases.map(\.rawValue)
            throw PlacementInputError.unknown(
                input: option, name: word, expected: "one of \(words.joined(separator: ", "))",
                nearest: EditDistance.nearest(to: word, in: words))
        }
        return value
    }
}
