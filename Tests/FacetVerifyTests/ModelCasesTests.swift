import FacetModel
import FacetTensor
import FacetTestSupport
import FacetVerify
import Foundation
import Testing

/// The folder of reference data: that of the environment variable `FACET_FIXTURES`, else the package's own.
private let fixtures: URL =
    ProcessInfo.processInfo.environment["FACET_FIXTURES"].map { URL(fileURLWithPath: $0) } ?? FixtureFolder.root

/// Set to print every comparison, not only those that fail.
private let isVerbose = ProcessInfo.processInfo.environment["FACET_VERBOSE"] != nil

@Suite("Model reference cases", .serialized)
struct ModelCasesTests {
    @Test("every case of every checkpoint is within tolerance", arguments: [DType.float32, .bfloat16])
    func everyCaseIsWithinTolerance(dtype: DType) throws {
        let backend = try CPUBackend()
        for folder in try FixtureDiscovery(root: fixtures).checkpoints where isGLM4V(folder) {
            let results = try ModelCases(directory: folder).run(dtype: dtype, on: backend)
            #expect(!results.isEmpty)
            for result in results {
                if isVerbose { print("\(dtype) \(folder.lastPathComponent): \(result)") }
                if !result.passed { Issue.record("\(dtype) \(folder.lastPathComponent): \(result)") }
            }
        }
    }

    @Test("the package's own cases are all found and compared")
    func ownCasesAreComplete() throws {
        let results = try ModelCases(directory: FixtureFolder.path("glm4v-tiny")).run(
            dtype: .float32, on: CPUBackend())
        let counts = Dictionary(grouping: results, by: \.name).mapValues(\.count)
        // Ids, text, positions (2), tokens; 8 tensors of the decoder; 8 of the tower; pixels. For the batch: ids,
        // text, positions, tokens, pixels, alone, for each row; two tensors.
        #expect(
            counts == ["text": 13, "image": 22, "multiturn-image": 22, "batch2[0]": 6, "batch2[1]": 6, "batch2": 2])
        #expect(results.allSatisfy { $0.passed })
    }

    @Test(
        "the package's own cases are within tolerance on every instruction set of this machine",
        arguments: InstructionSet.allCases.filter(\.isSupported))
    func instructionSets(instructionSet: InstructionSet) throws {
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        let cases = try ModelCases(directory: FixtureFolder.path("glm4v-tiny"))
        for (dtype, residency) in [(DType.float32, WeightResidency.mapped), (.float32, .packed), (.bfloat16, .packed)] {
            for result in try cases.run(dtype: dtype, on: backend, residency: residency) {
                if isVerbose { print("\(instructionSet), \(dtype), \(residency): \(result)") }
                if !result.passed { Issue.record("\(instructionSet), \(dtype), \(residency): \(result)") }
            }
        }
    }

    /// Later families keep their checkpoints in the same form; their cases belong to other suites.
    private func isGLM4V(_ folder: URL) -> Bool {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("config.json")),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return true }
        return object["model_type"] as? String == "chatglm"
    }
}
