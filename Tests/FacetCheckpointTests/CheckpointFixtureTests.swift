import FacetCheckpoint
import FacetTensor
import FacetTestSupport
import Testing

@Suite("A checkpoint of the GLM-4V-9B layout") struct CheckpointFixtureTests {
    private let checkpoint: Checkpoint

    init() throws {
        checkpoint = try Checkpoint(folder: TestPaths.fixture("glm4v-tiny"))
    }

    @Test("opens with every tensor of three shards")
    func opens() {
        #expect(checkpoint.files.count == 3)
        #expect(checkpoint.byteCount == 4_382_344)
        #expect(checkpoint.tensors.count == Set(checkpoint.tensors.map(\.name)).count)
    }

    @Test("gives a tensor as a view of the mapped bytes")
    func views() throws {
        let name = "transformer.embedding.word_embeddings.weight"
        let tensor = try checkpoint.tensor(named: name, shape: [3072, 128])
        let entry = try checkpoint.entry(named: name)
        #expect(tensor.dtype == .bfloat16)
        #expect(tensor.shape == [3072, 128])
        #expect(!tensor.storage.isWritable)
        #expect(UnsafeRawPointer(tensor.address) == entry.address)
    }

    @Test("may split a layer over two shards")
    func splitLayer() {
        let shards = (0..<4).map { layer in
            let prefix = "transformer.encoder.layers.\(layer)."
            return Set(checkpoint.tensors.filter { $0.name.hasPrefix(prefix) }.map(\.file.name)).count
        }
        #expect(shards.contains(2))
    }

    @Test("keeps the mapping alive as long as a tensor")
    func keepsMapping() throws {
        let tensor: Tensor
        do {
            let other = try Checkpoint(folder: TestPaths.fixture("glm4v-tiny"))
            tensor = try other.tensor(named: "transformer.vision.boi")
        }
        let values = withExtendedLifetime(tensor) {
            Array(UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount))
        }
        #expect(try values == checkpoint.entry(named: "transformer.vision.boi").copy)
    }

    @Test("says which tensor is missing, and which has another shape")
    func misses() throws {
        let location = TestPaths.fixture("glm4v-tiny")
        #expect(throws: CheckpointError.missingTensor(tensor: "nope", checkpoint: location)) {
            try checkpoint.tensor(named: "nope")
        }
        let name = "transformer.vision.boi"
        let file = try checkpoint.entry(named: name).file.name
        #expect(
            throws: CheckpointError.shapeMismatch(tensor: name, expected: [128], got: [1, 1, 128], file: file)
        ) {
            try checkpoint.tensor(named: name, shape: [128])
        }
    }

    @Test("takes advice for pages without changing what is read")
    func advice() throws {
        let names = checkpoint.tensors.map(\.name)
        let name = "transformer.output_layer.weight"
        let before = try checkpoint.entry(named: name).copy
        for advice in [MemoryAdvice.willNeed, .sequential, .random, .normal, .dontNeed, .evict] {
            checkpoint.advise(advice, tensors: names + ["not a tensor"])
            #expect(try checkpoint.entry(named: name).copy == before)
        }
    }
}
