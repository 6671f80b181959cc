import ArgumentParser
import FacetEngine
import FacetModel

/// Options that say how tokens are chosen; what is not given comes from the model's `generation_config.json`.
struct SamplingArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Most tokens to generate.", valueName: "n"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("0 takes the best token always; larger is more varied.", valueName: "t"))
    var temperature: Float?

    @Option(help: ArgumentHelp("Draw from the n best tokens only; 0 for all.", valueName: "n"))
    var topK: Int?

    @Option(help: ArgumentHelp("Draw from the best tokens that have this probability together.", valueName: "p"))
    var topP: Float?

    @Option(help: ArgumentHelp("Make tokens that were seen less likely; 1 does nothing.", valueName: "r"))
    var repetitionPenalty: Float?

    @Option(help: ArgumentHelp("Makes the draws repeatable.", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Ends the answer where this text would appear; may be repeated.", valueName: "text"))
    var stop: [String] = []

    /// The parameters for a model with the given defaults.
    func parameters(_ defaults: GenerationDefaults) -> SamplingParameters {
        var parameters = SamplingParameters(defaults)
        if let maxTokens { parameters.maxTokens = maxTokens }
        if let temperature { parameters.temperature = temperature }
        if let topK { parameters.topK = topK }
        if let topP { parameters.topP = topP }
        if let repetitionPenalty { parameters.repetitionPenalty = repetitionPenalty }
        if let seed { parameters.seed = seed }
        parameters.stopStrings = stop
        return parameters
    }
}
