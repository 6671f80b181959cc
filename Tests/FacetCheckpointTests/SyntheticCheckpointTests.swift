import CheckpointSynthesis
import FacetCheckpoint
import FacetJSON
import FacetTestSupport
import Foundation
import Testing

@Suite("A checkpoint with random weights") struct SyntheticCheckpointTests {
    private func tiny(_ shardByteCountLimit: Int = 1_700_000) throws -> SyntheticCheckpoint {
        let path = TestPaths.fixture("glm4v-tiny") + "/config.json"
        let configuration = try String(contentsOfFile: path, encoding: .utf8)
        return try SyntheticCheckpoint(configuration: configuration, shardByteCountLimit: shardByteCountLimit)
    }

    private func full(layerCount: Int? = nil) throws -> SyntheticCheckpoint {
        let configuration = try #require(Presets.configuration(named: "glm-4v-9b"))
        return try SyntheticCheckpoint(configuration: configuration, layerCount: layerCount)
    }

    @Test("has the published number of tensors, parameters and bytes, and the published shards")
    func published() throws {
        let shards = try full().shards
        let sizes = shards.items.map { shard in
            (Double(shard.reduce(0) { $0 + $1.byteCount }) / 1e7).rounded() / 100
        }
        #expect(shards.items.joined().count == 1054)
        #expect(shards.byteCount == 27_812_641_856)
        #expect(shards.byteCount / 2 - 32 == 13_906_320_896)
        #expect(shards.items.count == 15)
        #expect(sizes.prefix(12) == [1.95, 1.82, 1.97, 1.93, 1.82, 1.97, 1.93, 1.82, 1.97, 1.97, 1.96, 1.98])
        let layerOne = shards.items.map { shard in
            shard.filter { $0.name.hasPrefix("transformer.encoder.layers.1.") }.map(\.name)
        }
        #expect(layerOne[0].last?.hasSuffix("dense_h_to_4h.weight") == true)
        #expect(layerOne[1] == ["transformer.encoder.layers.1.mlp.dense_4h_to_h.weight"])
    }

    @Test("has the names and shapes of the reference checkpoint")
    func sameAsFixture() throws {
        let folder = try TemporaryFolder()
        try tiny().write(to: folder.path, weights: .random(seed: 3))
        let made = try Checkpoint(folder: folder.path)
        let reference = try Checkpoint(folder: TestPaths.fixture("glm4v-tiny"))
        let description: (CheckpointTensor) -> String = { "\($0.name) \($0.dtype) \($0.shape)" }
        #expect(Set(made.tensors.map(description)) == Set(reference.tensors.map(description)))
        #expect(made.files.count == 3)
        let frequencies = "transformer.rotary_pos_emb.inv_freq"
        #expect(try made.entry(named: frequencies).copy == reference.entry(named: frequencies).copy)
    }

    @Test("is the same for the same seed, and another for another")
    func seeds() throws {
        let name = "transformer.encoder.layers.2.self_attention.dense.weight"
        let bytes = try [UInt64(5), 5, 6].map { seed in
            let folder = try TemporaryFolder()
            try tiny().write(to: folder.path, weights: .random(seed: seed))
            return try Checkpoint(folder: folder.path).entry(named: name).copy
        }
        #expect(bytes[0] == bytes[1])
        #expect(bytes[0] != bytes[2])
    }

    @Test("has weights of standard deviation 0.02, norms of 1, and nothing beyond the vocabulary")
    func values() throws {
        let folder = try TemporaryFolder()
        try tiny().write(to: folder.path, weights: .random(seed: 1))
        let checkpoint = try Checkpoint(folder: folder.path)
        func floats(_ name: String) throws -> [Float] {
            let bytes = try checkpoint.entry(named: "transformer." + name).copy
            return stride(from: 0, to: bytes.count, by: 2).map {
                Float(bitPattern: UInt32(bytes[$0]) << 16 | UInt32(bytes[$0 + 1]) << 24)
            }
        }
        let embedding = try floats("embedding.word_embeddings.weight")
        let mean = embedding.reduce(0, +) / Float(embedding.count)
        let variance = embedding.reduce(0) { $0 + $1 * $1 } / Float(embedding.count)
        #expect(abs(mean) < 2e-4)
        #expect(abs(variance.squareRoot() - 0.02) < 2e-4)
        #expect(try floats("encoder.layers.0.input_layernorm.weight").allSatisfy { $0 == 1 })
        #expect(try floats("vision.linear_proj.norm1.weight").allSatisfy { $0 == 1 })
        let output = try floats("output_layer.weight")
        #expect(output[3000 * 128..<3072 * 128].allSatisfy { $0 == 0 })
        #expect(output[2999 * 128..<3000 * 128].contains { $0 != 0 })
        #expect(output[0..<128] != output[128..<256])
    }

    @Test("of the full size opens in milliseconds when its weights are holes")
    func sparse() throws {
        let folder = try TemporaryFolder()
        try full().write(to: folder.path, weights: .sparse)
        let start = clock()
        let checkpoint = try Checkpoint(folder: folder.path)
        let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        #expect(checkpoint.tensors.count == 1054)
        #expect(checkpoint.byteCount == 27_812_641_856)
        // Tests run in parallel and share this clock: the bound is for a reader that looks at weights.
        #expect(seconds < 1)
    }

    @Test("may have fewer layers than its configuration says")
    func fewerLayers() throws {
        let folder = try TemporaryFolder()
        let checkpoint = try full(layerCount: 2)
        #expect(checkpoint.geometry.layerCount == 2)
        try checkpoint.write(to: folder.path, weights: .sparse)
        let configuration = try FileContents.json(of: folder.path + "/config.json")
        #expect(configuration["num_layers"]?.integer == 2)
        #expect(configuration["hidden_size"]?.integer == 4096)
        #expect(configuration["layernorm_epsilon"]?.double == 1.5625e-07)
        #expect(try Checkpoint(folder: folder.path).tensors.count == 1054 - 38 * 7)
    }

    @Test("comes with a vocabulary of distinct ranks and a tokenizer configuration")
    func tokenizer() throws {
        let tokenizer = SyntheticTokenizer(try full().geometry)
        let lines = tokenizer.vocabulary.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.count == 151_329)
        #expect(Set(lines.map { $0[0] }).count == 151_329)
        #expect(lines.enumerated().allSatisfy { $1.count == 2 && Int($1[1]) == $0 })
        let reference = try String(
            contentsOfFile: TestPaths.fixture("glm4v-tiny") + "/tokenizer.model", encoding: .utf8)
        #expect(tokenizer.vocabulary.split(separator: "\n").prefix(256) == reference.split(separator: "\n").prefix(256))
        let configuration = try JSONValue(parsing: Array(tokenizer.configuration.utf8))
        #expect(configuration["added_tokens_decoder"]?["151339"]?["content"]?.string == "<|begin_of_image|>")
        #expect(configuration["image_size"]?.integer == 1120)
    }

    @Test("refuses configurations and folders that it cannot use, by name")
    func errors() throws {
        #expect(throws: SynthesisError.missingValue(key: "vision_config")) {
            try SyntheticCheckpoint(configuration: "{}")
        }
        let configuration = try #require(Presets.configuration(named: "glm-4v-9b"))
        let text = configuration.replacingOccurrences(of: "\"hidden_size\": 4096", with: "\"hidden_size\": 0")
        #expect(throws: SynthesisError.invalidValue(key: "hidden_size", expected: "an integer above 0", got: "0")) {
            try SyntheticCheckpoint(configuration: text)
        }
        let folder = try TemporaryFolder()
        try folder.write("x", "x")
        #expect(throws: SynthesisError.folderNotEmpty(path: folder.path)) {
            try tiny().write(to: folder.path, weights: .sparse)
        }
    }
}
