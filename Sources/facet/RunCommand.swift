import ArgumentParser
import FacetEngine
import FacetImage
import FacetTensor
import FacetTerminal
import FacetTokenizer

/// One question, one answer.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Ask one question, with or without a picture, and stream the answer.",
        discussion: """
            Example: facet run --image cat.png "What is this?"
            Control-C stops at the next token and keeps what was produced.
            """
    )

    @OptionGroup(title: "Model")
    var model: ModelArguments

    @OptionGroup(title: "Sampling")
    var sampling: SamplingArguments

    @Option(help: ArgumentHelp("Picture: a file, a data: URL, or - for standard input.", valueName: "file"))
    var image: [String] = []

    @Option(help: ArgumentHelp("System message before the question.", valueName: "text"))
    var system: String?

    @Flag(help: "Print one JSON object at the end instead of streaming text.")
    var json = false

    @Argument(help: "The question.")
    var question: String

    func run() async throws {
        let progress = ProgressLine()
        let images = try image.map { try ImageSource($0) }
        let loaded = try await model.load(progress)
        let parameters = sampling.parameters(loaded.model.defaults)
        try parameters.validate()
        let prompt = try loaded.model.prompts.prompt(
            for: messages(hasImage: !images.isEmpty), images: images, maxTokens: parameters.maxTokens)
        if !json { for warning in prompt.warnings { Terminal.error.write("facet: \(warning)\n") } }
        let request = Request(prompt, sampling: parameters)
        let stream = AnswerStream(engine: loaded.model.engine, progress: progress)
        let completion = try await stream.follow(request) { text in
            if !json { try StandardOutput.write(text) }
        }
        if json {
            try JSONOutput.print(
                RunReport(
                    completion, model: loaded.location, dtype: loaded.model.dtype.rawValue,
                    load: loaded.duration,
                    devices: await loaded.model.engine.deviceReports(), placement: loaded.model.placement,
                    plan: loaded.plan, cards: loaded.cards,
                    warnings: prompt.warnings))
        } else {
            try StandardOutput.write("\n")
        }
        if completion.reason == .cancelled { throw ExitCode(130) }
    }

    private func messages(hasImage: Bool) -> [ChatMessage] {
        var messages: [ChatMessage] = []
        if let system { messages.append(ChatMessage(role: .system, content: system)) }
        messages.append(ChatMessage(role: .user, content: question, hasImage: hasImage))
        return messages
    }
}
