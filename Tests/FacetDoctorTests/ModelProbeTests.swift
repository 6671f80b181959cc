import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

@Suite("Model probe")
struct ModelProbeTests {
    private static let tiny = FixtureFolder.path("glm4v-tiny")

    /// The tiny model in a folder of its own, changed, and what is found there.
    private func facts(_ change: (URL) throws -> Void) throws -> ModelFacts {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: Self.tiny, as: "model")
        try change(copy)
        return ModelProbe(folder: copy.path).facts()
    }

    @Test("finds nothing wrong with a whole model")
    func whole() throws {
        let facts = try facts { _ in }
        #expect(facts.filesProblem == nil && facts.tensorsProblem == nil && facts.tokenizerProblem == nil)
        #expect(facts.configurationProblem == nil && facts.unknownFields == [])
        #expect(facts.fileCount == 3 && (facts.tensorCount ?? 0) > 0 && (facts.tokenCount ?? 0) > 0)
        #expect((facts.weightBytes ?? 0) > 0 && (facts.workBytes ?? 0) > 0 && facts.residency == "packed")
        #expect((facts.freeDiskBytes ?? 0) > 0 && facts.fileSystem != nil)
    }

    @Test("a shard that is cut off or missing is a fault of the files")
    func files() throws {
        let shard = "model-00002-of-00003.safetensors"
        let cut = try facts { folder in
            let file = folder.appendingPathComponent(shard)
            try Data(contentsOf: file).dropLast(100).write(to: file)
        }
        #expect(cut.filesProblem?.contains(shard) == true && cut.fileCount == nil)
        let missing = try facts { try FileManager.default.removeItem(at: $0.appendingPathComponent(shard)) }
        #expect(missing.filesProblem?.contains(shard) == true)
        // What does not depend on it is looked at nevertheless.
        #expect(missing.tokenCount != nil && missing.configurationProblem == nil)
    }

    @Test("a folder that is not there is one fault, told plainly")
    func noFolder() {
        let facts = ModelProbe(folder: "/nowhere/at/all").facts()
        #expect(facts.filesProblem?.contains("/nowhere/at/all") == true)
        #expect(facts.fileSystem == nil && facts.freeDiskBytes == nil)
    }

    @Test("fields that nothing reads are named")
    func unknownFields() throws {
        let facts = try facts { folder in
            let file = folder.appendingPathComponent("config.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            try Data(("{\"rope_scaling\": {\"type\": \"linear\"}," + text.dropFirst()).utf8).write(to: file)
        }
        #expect(facts.unknownFields == ["rope_scaling"])
    }

    @Test("a configuration of other sizes than the tensors is a fault of the tensors")
    func mismatch() throws {
        let facts = try facts { folder in
            let file = folder.appendingPathComponent("config.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            let count = try #require(document["num_layers"] as? Int)
            let larger = document.merging(["num_layers": count + 1]) { $1 }
            try JSONSerialization.data(withJSONObject: larger).write(to: file)
        }
        #expect(facts.tensorsProblem != nil && facts.filesProblem == nil && facts.configurationProblem == nil)
    }

    @Test("a missing tokenizer and a missing configuration are told apart")
    func missingFiles() throws {
        let noTokenizer = try facts {
            try FileManager.default.removeItem(at: $0.appendingPathComponent("tokenizer.model"))
        }
        #expect(noTokenizer.tokenizerProblem?.contains("tokenizer.model") == true)
        #expect(noTokenizer.configurationProblem == nil && noTokenizer.fileCount == 3)
        let noRecipe = try facts { try FileManager.default.removeItem(at: $0.appendingPathComponent("config.json")) }
        #expect(noRecipe.configurationProblem?.contains("config.json") == true && noRecipe.tokenizerProblem == nil)
    }

    @Test("the kind of file system is that of the deepest mount above the folder")
    func fileSystem() throws {
        let system = try PlantedSystem()
        let folder = try #require(
            realpath(system.path("etc"), nil).map { pointer in
                defer { free(pointer) }
                return String(cString: pointer)
            })
        let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
        try system.plant(
            "proc/self/mountinfo",
            """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            30 22 0:40 / \(parent) rw,relatime shared:2 - nfs4 server:/models rw
            31 22 0:41 / \(parent)/et rw - tmpfs tmpfs rw
            32 22 0:42 / /with\\040blank rw - xfs /dev/sdb rw
            nonsense

            """)
        #expect(ModelProbe(folder: folder, system.roots).facts().fileSystem == "nfs4")
        #expect(ModelProbe(folder: "/", system.roots).facts().fileSystem == "ext4")
    }
}
