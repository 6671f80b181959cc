package import FacetCheckpoint
import FacetImage
package import FacetModel
package import FacetPlacement
package import FacetTensor
import FacetTokenizer
package import Foundation

/// The reference cases of a checkpoint folder: every stage of the model against recorded tensors and tokens.
///
/// A case may hold any part of what is known here; whatever is there is compared.
package struct ModelCases {
    private let folder: URL
    private let configuration: GLM4VConfiguration
    private let checkpoint: Checkpoint
    private let tokenizer: Tokenizer?
    private let cases: [ModelCase]

    /// Opens a checkpoint and reads its cases.
    ///
    /// - Throws: `VerifyError`, and the errors of configuration, checkpoint and tokenizer.
    package init(directory: URL) throws {
        folder = directory
        let path = directory.appendingPathComponent(GLM4VConfiguration.fileName).path
        configuration = try GLM4VConfiguration(parsing: FileContents.bytes(of: path, limit: 1 << 24), file: path)
        checkpoint = try Checkpoint(folder: directory.path)
        let vocabulary = directory.appendingPathComponent("tokenizer.model")
        tokenizer =
            FileManager.default.fileExists(atPath: vocabulary.path) ? try Tokenizer(directory: directory) : nil
        let caseFolder = directory.appendingPathComponent("cases")
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: caseFolder.path) } catch {
            throw VerifyError.unreadable(path: caseFolder.path, reason: error.localizedDescription)
        }
        cases = try names.sorted().map { caseFolder.appendingPathComponent($0) }
            .filter { FileManager.default.fileExists(atPath: $0.appendingPathComponent("expected.json").path) }
            .map { try ModelCase($0) }
        guard !cases.isEmpty else { throw VerifyError.nothingFound(path: directory.path) }
    }

    /// Runs every case with activations of one type.
    ///
    /// - Throws: when the model cannot be built; what goes wrong in a case is a result of this case.
    package func run(
        dtype: DType, on backend: any Backend, residency: WeightResidency = .mapped
    ) throws -> [CaseResult] {
        try run(dtype: dtype, on: [backend], placement: .single(configuration), residency: residency)
    }

    /// The model's recipe.
    package var recipe: GLM4VConfiguration { configuration }

    /// The model's weights.
    package var weights: Checkpoint { checkpoint }

    /// Runs every case on several devices.
    ///
    /// - Parameters:
    ///   - quantization: how weights are quantized first; nil for not at all.
    ///   - residency: how weights are kept in memory.
    ///   - quantizesCache: whether keys and values are kept as bytes; the tolerances do not allow for it.
    package func run(
        dtype: DType, on devices: [any Backend], placement: Placement, residency: WeightResidency = .mapped,
        quantization: PrecisionChoice? = nil, quantizesCache: Bool = false
    ) throws -> [CaseResult] {
        let weights = try QuantizingSource.quantizing(checkpoint, configuration, quantization)
        let model = try GLM4V(
            source: weights.source, configuration: weights.configuration, dtype: dtype, devices: devices,
            placement: placement, residency: residency)
        var results: [CaseResult] = []
        for modelCase in cases {
            let run = ModelCaseRun(
                modelCase, model: model, tokenizer: tokenizer, folder: folder, quantizesCache: quantizesCache)
            do { results += try run.results() } catch {
                results.append(
                    CaseResult(
                        suite: ModelCaseRun.suite, name: modelCase.name, expected: "a run without an error",
                        got: "\(error)", passed: false))
            }
        }
        return results
    }
}
