import FacetCheckpoint
package import FacetEngine
import FacetImage
import FacetJSON
import FacetModel
import FacetTokenizer
package import Foundation

/// Pictures with a question and the true answer: how often a model is right, task by task.
///
/// The folder's `index.json` holds `cases`, each with `image`, `question`, `answer`, `task` and `match`: `exact`
/// compares the stripped text, `set` compares the phrases between commas whatever their order.
package struct AccuracyCases: Sendable {
    /// One picture and its question.
    private struct Case: Sendable {
        let image: String
        let question: String
        let answer: String
        let task: String
        let isSet: Bool
    }

    private let directory: URL
    private let cases: [Case]

    /// Whether a folder holds such cases.
    package static func isPresent(in folder: URL) -> Bool {
        let path = folder.appendingPathComponent("index.json").path
        guard let index = try? FileContents.json(of: path), let first = index["cases"]?.array?.first else {
            return false
        }
        return first["question"] != nil && first["answer"] != nil
    }

    /// Reads the index of a folder.
    ///
    /// - Throws: `VerifyError.malformed`, and `CheckpointError` for an index that is no JSON.
    package init(directory: URL) throws {
        self.directory = directory
        let path = directory.appendingPathComponent("index.json").path
        guard let list = try FileContents.json(of: path)["cases"]?.array, !list.isEmpty else {
            throw VerifyError.malformed(path: path, reason: "expected a list of cases that is not empty")
        }
        cases = try list.enumerated().map { position, value in
            guard let image = value["image"]?.string, let question = value["question"]?.string,
                let answer = value["answer"]?.string, let task = value["task"]?.string
            else {
                throw VerifyError.malformed(
                    path: path, reason: "case \(position) lacks image, question, answer or task")
            }
            return Case(
                image: image, question: question, answer: answer, task: task, isSet: value["match"]?.string == "set")
        }
    }

    /// Asks a model every question, greedily, each in a conversation of its own.
    ///
    /// - Throws: `EngineError` when a picture cannot be read or the model fails.
    package func run(_ model: LoadedModel, dtype: String) async throws -> AccuracyReport {
        var report = AccuracyReport(folder: directory.lastPathComponent, dtype: dtype)
        for question in cases {
            let answer = try await ask(model, question)
            let isRight =
                question.isSet
                ? Self.phrases(answer) == Self.phrases(question.answer) : answer == Self.stripped(question.answer)
            report.add(
                task: question.task, isRight: isRight, image: question.image, question: question.question,
                expected: question.answer, got: answer)
        }
        return report
    }

    private func ask(_ model: LoadedModel, _ question: Case) async throws -> String {
        let source = try ImageSource(directory.appendingPathComponent(question.image).path)
        let message = ChatMessage(role: .user, content: question.question, hasImage: true)
        let prompt = try model.prompts.prompt(for: [message], images: [source], maxTokens: 128)
        var sampling = SamplingParameters(maxTokens: 128)
        sampling.stopTokenIDs = model.defaults.eosTokenIDs
        for try await event in model.engine.submit(Request(prompt, sampling: sampling)) {
            if case .finished(let completion) = event { return Self.stripped(completion.text) }
        }
        throw EngineError.shutDown
    }

    private static func stripped(_ text: String) -> String { text.trimmingCharacters(in: .whitespacesAndNewlines) }

    private static func phrases(_ text: String) -> Set<String> {
        Set(stripped(text).replacingOccurrences(of: "，", with: ", ").components(separatedBy: ", "))
    }
}

/// How often a model was right.
package struct AccuracyReport: Sendable, Encodable {
    /// Right answers of one task.
    package struct Tally: Sendable, Encodable {
        /// Answers that were right.
        package fileprivate(set) var right = 0
        /// Questions asked.
        package fileprivate(set) var all = 0

        /// Right answers among all, 0 to 1.
        package var fraction: Double { all == 0 ? 0 : Double(right) / Double(all) }
    }

    /// A wrong answer.
    package struct Mistake: Sendable, Encodable {
        /// File of the picture.
        package let image: String
        /// What was asked.
        package let question: String
        /// What is true.
        package let expected: String
        /// What the model said.
        package let got: String
    }

    /// Folder of the cases.
    package let folder: String
    /// Type of the activations.
    package let dtype: String
    /// Tallies by task.
    package private(set) var tasks: [String: Tally] = [:]
    /// All wrong answers.
    package private(set) var mistakes: [Mistake] = []

    init(folder: String, dtype: String) {
        self.folder = folder
        self.dtype = dtype
    }

    /// The tally of several tasks together.
    package func tally(of names: Set<String>) -> Tally {
        tasks.filter { names.contains($0.key) }.values.reduce(into: Tally()) { sum, tally in
            sum.right += tally.right
            sum.all += tally.all
        }
    }

    mutating func add(
        task: String, isRight: Bool, image: String, question: String, expected: String, got: String
    ) {
        tasks[task, default: Tally()].all += 1
        if isRight {
            tasks[task, default: Tally()].right += 1
        } else {
            mistakes.append(Mistake(image: image, question: question, expected: expected, got: got))
        }
    }
}
