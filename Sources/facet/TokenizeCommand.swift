import ArgumentParser
import FacetTokenizer
import Foundation

/// Text to token ids, and back.
struct TokenizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turn text into token ids, or ids into text.",
        discussion: """
            Reads the given texts, or standard input: a JSON array of strings, or one text per line. \
            Prints one JSON array of ids per text for JSON input, and one line of ids per text otherwise. \
            With --decode it goes the other way. Special-token names inside a text are ordinary text.
            """
    )

    @Option(help: "Checkpoint folder whose tokenizer is used; the embedded demo model's without it.")
    var model: String?

    @Flag(help: "Read ids and print text.")
    var decode = false

    @Flag(help: "With --decode: show special tokens by name instead of leaving them out.")
    var special = false

    @Argument(help: "Texts; with --decode, ids separated by blanks.")
    var text: [String] = []

    /// Bytes of standard input that are read at most.
    private static let inputLimit = 256 << 20

    func run() async throws {
        let tokenizer = try ModelFolder.tokenizer(model)
        let batch = try TextBatch(
            arguments: text, readStandardInput: { try StandardInput.text(limit: Self.inputLimit) })
        if decode {
            let texts = try batch.idLists().map {
                tokenizer.decode($0, specialTokens: special ? .shown : .skipped)
            }
            try StandardOutput.write(try batch.rendered(texts: texts))
        } else {
            let ids = try batch.texts().map { tokenizer.encode($0) }
            try StandardOutput.write(batch.rendered(ids: ids))
        }
    }
}

/// Texts or id lists that came in one of two forms, and go out in the same one.
struct TextBatch {
    private enum Form {
        case json(Data)
        case lines([String])
    }

    private let form: Form

    /// Takes the words of the command line, or else standard input; JSON when it begins with a bracket.
    init(arguments: [String], readStandardInput: () throws -> String) throws {
        if !arguments.isEmpty {
            form = .lines(arguments)
            return
        }
        let input = try readStandardInput()
        if input.first(where: { !$0.isWhitespace }) == "[" {
            form = .json(Data(input.utf8))
        } else {
            var lines = input.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            form = .lines(lines)
        }
    }

    /// The texts to encode.
    func texts() throws -> [String] {
        switch form {
        case .lines(let lines): lines
        case .json(let json): try decoded([String].self, json, expected: "a JSON array of strings")
        }
    }

    /// The ids to decode.
    func idLists() throws -> [[TokenID]] {
        switch form {
        case .json(let json): try decoded([[TokenID]].self, json, expected: "a JSON array of arrays of ids")
        case .lines(let lines):
            try lines.map { line in
                try line.split(whereSeparator: { $0.isWhitespace || $0 == "," }).map { word in
                    guard let id = TokenID(word) else {
                        throw CommandError.unreadable(path: "ids", reason: "'\(word)' is not a token id")
                    }
                    return id
                }
            }
        }
    }

    /// Ids as output.
    func rendered(ids: [[TokenID]]) -> String {
        let lists = ids.map { $0.map(String.init) }
        switch form {
        case .json: return "[" + lists.map { "[" + $0.joined(separator: ",") + "]" }.joined(separator: ",\n ") + "]\n"
        case .lines: return lists.map { $0.joined(separator: " ") + "\n" }.joined()
        }
    }

    /// Texts as output.
    func rendered(texts: [String]) throws -> String {
        switch form {
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes]
            return String(decoding: try encoder.encode(texts), as: UTF8.self) + "\n"
        case .lines: return texts.map { $0 + "\n" }.joined()
        }
    }

    private func decoded<Value: Decodable>(_ type: Value.Type, _ json: Data, expected: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: json)
        } catch {
            throw CommandError.unreadable(path: "standard input", reason: "it begins like JSON but is not \(expected)")
        }
    }
}
