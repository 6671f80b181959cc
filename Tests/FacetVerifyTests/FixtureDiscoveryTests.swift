import FacetVerify
import Foundation
import Testing

@Suite("Fixture discovery")
struct FixtureDiscoveryTests {
    @Test("finds the three kinds at any depth and nothing else")
    func findsTheThreeKinds() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("facet-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        try write("{}", to: "a/model/config.json", in: root)
        try write("{}", to: "a/model/cases/text/expected.json", in: root)
        try write("{}", to: "other/config.json", in: root)
        try write("{}", to: "other/cases/flat.json", in: root)
        try write("", to: "b/c/words/tokenizer.model", in: root)
        try write("{}", to: "b/c/words/decode_cases.json", in: root)
        try write("", to: "alone/tokenizer.model", in: root)
        let index = #"{"cases": [{"file": "x.png", "expected": "x.png.safetensors"}]}"#
        try write(index, to: "pictures/index.json", in: root)
        try write(#"{"cases": ["text"]}"#, to: "lists/index.json", in: root)

        let found = try FixtureDiscovery(root: root)
        #expect(found.checkpoints.map(\.lastPathComponent) == ["model"])
        #expect(found.tokenizers.map(\.lastPathComponent) == ["words"])
        #expect(found.images.map(\.lastPathComponent) == ["pictures"])
        #expect(!found.isEmpty)
    }

    @Test("a missing root is an error that names it")
    func missingRoot() {
        let root = URL(fileURLWithPath: "/nonexistent-facet-fixtures")
        #expect(
            performing: { try FixtureDiscovery(root: root) },
            throws: { error in
                guard case VerifyError.unreadable(let path, _) = error else { return false }
                return path == root.path
            })
    }

    private func write(_ text: String, to path: String, in root: URL) throws {
        let file = root.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }
}
