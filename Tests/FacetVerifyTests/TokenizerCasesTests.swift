import FacetTokenizer
import FacetVerify
import Foundation
import Testing

/// The folder of reference data: that of the environment variable `FACET_FIXTURES`, else the package's own.
private let fixtures: URL =
    ProcessInfo.processInfo.environment["FACET_FIXTURES"].map { URL(fileURLWithPath: $0) } ?? packageFixtures
private let packageFixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

/// A real GLM-4 `tokenizer.model`, if the environment names one.
private let realTokenizerPath = ProcessInfo.processInfo.environment["FACET_GLM4_TOKENIZER"]

@Suite("Tokenizer reference cases")
struct TokenizerCasesTests {
    @Test("every case of every tokenizer folder matches exactly")
    func everyCaseMatches() throws {
        for folder in try FixtureDiscovery(root: fixtures).tokenizers {
            let results = try TokenizerCases(directory: folder).run()
            #expect(!results.isEmpty)
            for result in results where !result.passed {
                Issue.record("\(folder.lastPathComponent): \(result)")
            }
        }
    }

    @Test("the package's own cases are all found and run")
    func ownCasesAreComplete() throws {
        let results = try TokenizerCases(directory: packageFixtures.appendingPathComponent("tokenizer-tiny")).run()
        let counts = Dictionary(grouping: results, by: \.suite).mapValues(\.count)
        // Three files say the same of the vocabulary: rank count, pattern, fourteen special tokens.
        #expect(counts == ["vocabulary": 48, "encode": 244, "chat": 34, "decode": 20])
        #expect(results.allSatisfy { $0.passed })
    }

    @Test("the published ids of the real vocabulary match", .enabled(if: realTokenizerPath != nil))
    func realVocabularyMatches() throws {
        let path = try #require(realTokenizerPath)
        let tokenizer = try Tokenizer(tokenizerModel: [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))))
        let known = packageFixtures.appendingPathComponent("tokenizer-glm4/known_ids.json")
        for result in try TokenizerCases(knownIDs: known, tokenizer: tokenizer).run() where !result.passed {
            Issue.record("\(result)")
        }
    }

    @Test("a wrong id is reported with its place")
    func wrongIDIsReported() throws {
        let folder = try temporaryCopy(of: "tokenizer-tiny", keeping: ["tokenizer.model"])
        defer { try? FileManager.default.removeItem(at: folder) }
        let cases = #"{"cases": [{"text": "a a", "ids": [64, 1, 2]}]}"#
        try Data(cases.utf8).write(to: folder.appendingPathComponent("encode_cases.json"))

        let result = try #require(try TokenizerCases(directory: folder).run().first)
        #expect(!result.passed)
        #expect(result.index == [1])
        #expect(result.expected == "[64, 1, 2] of 3 ids")
    }

    @Test("a folder without cases and a file without a list are refused")
    func malformedFoldersAreRefused() throws {
        let folder = try temporaryCopy(of: "tokenizer-tiny", keeping: ["tokenizer.model"])
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: VerifyError.nothingFound(path: folder.path)) { try TokenizerCases(directory: folder) }

        let file = folder.appendingPathComponent("chat_cases.json")
        try Data(#"{"cases": []}"#.utf8).write(to: file)
        let reason = "expected a list of cases that is not empty"
        #expect(throws: VerifyError.malformed(path: file.path, reason: reason)) {
            try TokenizerCases(directory: folder)
        }
    }

    private func temporaryCopy(of name: String, keeping files: [String]) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("facet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for file in files {
            try FileManager.default.copyItem(
                at: packageFixtures.appendingPathComponent(name).appendingPathComponent(file),
                to: folder.appendingPathComponent(file))
        }
        return folder
    }
}
