import FacetEngine
import FacetImage
import FacetModel
import FacetTensor
import FacetTestSupport
import FacetTokenizer
import Foundation
import Testing

/// The whole way from a conversation to tokens with the tiny checkpoint.
@Suite("Engine with the tiny checkpoint", .timeLimit(.minutes(5)))
struct ModelEngineTests {
    private func answer(_ model: LoadedModel, _ prompt: Prompt, _ count: Int) async throws -> Completion {
        try await completion(
            of: model.engine.submit(Request(prompt, sampling: SamplingParameters(maxTokens: count))))
    }

    @Test(
        "gives the reference's greedy tokens, whole prompts or chunks",
        arguments: [
            "text", "image", "multiturn-image",
        ], [7, 512])
    func greedy(name: String, maxRows: Int) async throws {
        let reference = try TinyModel.Case(name)
        let model = try TinyModel.load { $0.maxRows = maxRows }
        let prompt = try reference.prompt(model)
        #expect(prompt.tokenIDs == reference.promptTokenIDs)
        #expect(prompt.rows.positions == reference.positions)
        #expect(prompt.warnings.isEmpty)
        let answer = try await answer(model, prompt, reference.greedyTokenIDs.count)
        #expect(answer.tokenIDs == reference.greedyTokenIDs)
        #expect(answer.reason == .length)
    }

    @Test("gives the reference's tokens for all conversations at once")
    func together() async throws {
        let model = try TinyModel.load {
            $0.maxSequences = 3
            $0.maxRows = 48
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["text", "image", "multiturn-image", "text", "image"] {
                group.addTask {
                    let reference = try TinyModel.Case(name)
                    let answer = try await answer(model, reference.prompt(model), reference.greedyTokenIDs.count)
                    #expect(answer.tokenIDs == reference.greedyTokenIDs, "\(name)")
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("continues a conversation from the cache with the tokens of a computation from scratch")
    func nextTurn() async throws {
        let reference = try TinyModel.Case("image")
        let model = try TinyModel.load()
        let first = try await answer(model, reference.prompt(model), 8)
        let messages =
            reference.messages + [
                ChatMessage(role: .assistant, content: first.text), ChatMessage(role: .user, content: "And now?"),
            ]
        let image = try model.prompts.image(.file(path: try #require(reference.image).path))
        let prompt = try model.prompts.prompt(for: messages, image: image, maxTokens: 12)
        let second = try await answer(model, prompt, 12)
        // All rows of the first prompt come before the answer's text, whose tokens may be cut otherwise.
        #expect(second.usage.reusedRowCount >= 28)
        #expect(second.timings.image == nil, "the picture was encoded once")
        let metrics = await model.engine.metrics()
        #expect(metrics.encodedImageCount == 1)
        #expect(metrics.computedRowCount == 28 + 7 + (prompt.rowCount - second.usage.reusedRowCount) + 11)
        let fresh = try TinyModel.load()
        let scratch = try await answer(fresh, prompt, 12)
        #expect(scratch.usage.reusedRowCount == 0)
        #expect(second.tokenIDs == scratch.tokenIDs)
    }

    @Test("computes the same tokens from files in memory")
    func embedded() async throws {
        let folder = TinyModel.folder
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
            $0.hasSuffix(".safetensors") || $0 == "config.json" || $0.hasPrefix("tokenizer")
        }
        // Never freed: bytes of this kind live as long as the process.
        let files = try names.map { name in
            let data = try Data(contentsOf: folder.appendingPathComponent(name))
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 64)
            data.copyBytes(to: bytes)
            return EmbeddedFile(name: name, bytes: UnsafeRawBufferPointer(bytes))
        }
        var options = EngineOptions()
        options.dtype = .float32
        let model = try ModelLoader(ModelFiles(embedded: files, name: "memory"), options: options)
            .load(onto: CPUBackend(threadCount: 1))
        #expect(model.defaultSampling.isGreedy, "there is no generation_config.json")
        let reference = try TinyModel.Case("text")
        let answer = try await answer(model, reference.prompt(model), 24)
        #expect(answer.tokenIDs == reference.greedyTokenIDs)
    }

    @Test("computes in the published dtype unless told otherwise, and says how far loading is")
    func loading() async throws {
        let events = ProgressLog()
        let model = try ModelLoader(ModelFiles(folder: TinyModel.folder.path))
            .load(onto: CPUBackend(threadCount: 2)) { events.append($0) }
        #expect(model.dtype == .bfloat16)
        #expect(model.defaultSampling.temperature == 0.8 && model.defaultSampling.topK == 50)
        #expect(model.defaultSampling.stopTokenIDs == [3000, 3007, 3009])
        let phases = events.phases
        #expect(phases.first == .reading && phases.last == .ready)
        #expect(Set(phases) == [.reading, .binding, .allocating, .ready])
        let reference = try TinyModel.Case("text")
        let answer = try await answer(model, reference.prompt(model), 1)
        #expect(answer.tokenIDs == Array(reference.greedyTokenIDs.prefix(1)))
    }

    @Test("names the layer in which NaN values begin")
    func nonFinite() async throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: TinyModel.folder, as: "broken")
        try poison(copy, tensor: "transformer.encoder.layers.2.input_layernorm.weight")
        var options = EngineOptions()
        options.dtype = .float32
        let model = try ModelLoader(ModelFiles(folder: copy.path), options: options)
            .load(onto: CPUBackend(threadCount: 2))
        let prompt = try TinyModel.Case("text").prompt(model)
        // The third layer's result is the fourth of the hidden states, counted from the embedding.
        await #expect(throws: EngineError.nonFinite(layer: "hidden.3")) { try await answer(model, prompt, 2) }
    }

    @Test("names the vision layer in which NaN values begin")
    func nonFinitePicture() async throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: TinyModel.folder, as: "broken")
        try poison(copy, tensor: "transformer.vision.transformer.layers.1.mlp.fc1.bias")
        let model = try ModelLoader(ModelFiles(folder: copy.path)).load(onto: CPUBackend(threadCount: 2))
        let prompt = try TinyModel.Case("image").prompt(model)
        await #expect(throws: EngineError.nonFinite(layer: "vision.layers.1")) { try await answer(model, prompt, 2) }
    }

    /// Overwrites a tensor's first bf16 element with NaN, in whichever shard it is.
    private func poison(_ folder: URL, tensor: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasSuffix("tensors") {
            let file = folder.appendingPathComponent(name)
            var bytes = try Data(contentsOf: file)
            let length = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
            let header = try JSONSerialization.jsonObject(with: bytes[8..<8 + length]) as? [String: Any]
            guard let entry = header?[tensor] as? [String: Any], let offsets = entry["data_offsets"] as? [Int] else {
                continue
            }
            bytes.replaceSubrange(8 + length + offsets[0]..<8 + length + offsets[0] + 2, with: [0xC0, 0x7F])
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
            try bytes.write(to: file)
            return
        }
        Issue.record("no shard holds \(tensor)")
    }
}

/// Collects progress from whichever thread it comes.
private final class ProgressLog: @unchecked Sendable {
    // Touched under the lock only.
    private let lock = NSLock()
    private var log: [LoadProgress] = []

    func append(_ progress: LoadProgress) { lock.withLock { log.append(progress) } }
    var phases: [LoadProgress.Phase] { lock.withLock { log.map(\.phase) } }
}
