import ArgumentParser
import FacetEngine
import FacetImage
import FacetTerminal
import FacetTokenizer
import Foundation

/// A conversation on a terminal.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with the model, turn by turn.",
        discussion: ChatSession.help
    )

    @OptionGroup(title: "Model")
    var model: ModelArguments

    @OptionGroup(title: "Sampling")
    var sampling: SamplingArguments

    @Option(help: ArgumentHelp("Picture to begin with: a file or a data: URL.", valueName: "file"))
    var image: String?

    @Option(help: ArgumentHelp("System message before the conversation.", valueName: "text"))
    var system: String?

    func run() async throws {
        let progress = ProgressLine()
        let loaded = try await model.load(progress)
        let parameters = sampling.parameters(loaded.model.defaults)
        try parameters.validate()
        var session = ChatSession(
            model: loaded.model, parameters: parameters, progress: progress, system: system)
        if let image { try session.setImage(image) }
        try await session.converse()
    }
}

/// The turns of a conversation so far, and what is typed next.
struct ChatSession {
    static let help = """
        /image FILE  ask about a picture    /reset      forget everything
        /save FILE   write the conversation /quit       leave (also Control-D)
        /help        show this              Control-C   stop an answer, or give up a line
        """

    private let model: LoadedModel
    private let parameters: SamplingParameters
    private let progress: ProgressLine
    private let system: String?
    private var messages: [ChatMessage] = []
    private var image: PreparedImage?
    private var isImagePending = false

    init(model: LoadedModel, parameters: SamplingParameters, progress: ProgressLine, system: String?) {
        self.model = model
        self.parameters = parameters
        self.progress = progress
        self.system = system
        reset()
    }

    /// Reads lines and answers them until the person leaves.
    mutating func converse() async throws {
        var editor = LineEditor()
        if Terminal.input.isInteractive { try StandardOutput.write(Self.help + "\n") }
        while true {
            switch editor.read(prompt: "> ") {
            case .endOfInput: return
            case .cancelled: continue
            case .line(let line):
                let text = line.trimmingCharacters(in: .whitespaces)
                if text == "/quit" || text == "/exit" { return }
                try await handle(text)
            }
        }
    }

    /// Does what a line says; errors are printed, and the conversation goes on.
    ///
    /// - Throws: that a card is lost: nothing could be answered any more.
    private mutating func handle(_ line: String) async throws {
        do {
            if line.hasPrefix("/") {
                try command(line)
            } else if !line.isEmpty {
                try await answer(line)
            }
        } catch let error as EngineError where error.meansLostCard {
            throw error
        } catch {
            Terminal.error.write("facet: \(error)\n")
        }
    }

    private mutating func command(_ line: String) throws {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : ""
        switch (words[0], argument.isEmpty) {
        case ("/image", false): try setImage(argument)
        case ("/save", false): try save(to: argument)
        case ("/reset", _): reset()
        case ("/help", _): try StandardOutput.write(Self.help + "\n")
        case ("/image", true), ("/save", true):
            throw CommandError.unknownInput("\(words[0]) needs a file name, for example '\(words[0]) FILE'")
        default: throw CommandError.unknownInput("'\(words[0])' is not a command; /help lists them")
        }
    }

    /// Gives the next question a picture.
    mutating func setImage(_ path: String) throws {
        guard image == nil || isImagePending else {
            throw CommandError.unknownInput("the conversation has its picture already; /reset starts a new one")
        }
        image = try model.prompts.image(try ImageSource(FilePath.expanded(path)))
        isImagePending = true
    }

    private mutating func reset() {
        messages = system.map { [ChatMessage(role: .system, content: $0)] } ?? []
        image = nil
        isImagePending = false
    }

    private mutating func answer(_ question: String) async throws {
        let turn = messages + [ChatMessage(role: .user, content: question, hasImage: isImagePending)]
        let prompt = try model.prompts.prompt(for: turn, image: image, maxTokens: parameters.maxTokens)
        for warning in prompt.warnings where isImagePending { Terminal.error.write("facet: \(warning)\n") }
        let stream = AnswerStream(engine: model.engine, progress: progress)
        let completion = try await stream.follow(Request(prompt, sampling: parameters)) { text in
            try StandardOutput.write(text)
        }
        try StandardOutput.write(completion.reason == .cancelled ? " [stopped]\n" : "\n")
        messages = turn + [ChatMessage(role: .assistant, content: completion.text)]
        isImagePending = false
    }

    private func save(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let turns = messages.map { SavedTurn(role: $0.role.rawValue, content: $0.content, image: $0.hasImage) }
        let file = FilePath.expanded(path)
        do {
            try encoder.encode(turns).write(to: URL(fileURLWithPath: file), options: .atomic)
        } catch {
            throw CommandError.unwritable("'\(file)'")
        }
        try StandardOutput.write("Saved \(turns.count) messages to \(file)\n")
    }

    private struct SavedTurn: Encodable {
        let role: String
        let content: String
        let image: Bool
    }
}
