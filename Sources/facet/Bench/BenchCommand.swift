import ArgumentParser

/// Measurements of speed.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure speed: single operations, whole models, the tokenizer.",
        subcommands: [
            BenchOperationsCommand.self, BenchModelCommand.self, BenchTokenizerCommand.self, BenchLimitsCommand.self,
        ]
    )
}
