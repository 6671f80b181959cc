import FacetCheckpoint
import FacetModel
import FacetTensor
import FacetTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Forward")
struct GLM4VTests {
    private let pages: [Int32] = [31, 2, 17, 5, 30, 8]  // neither in order nor side by side

    @Test("prefill in chunks gives the same logits within rounding", arguments: [1, 7, 16])
    func chunkedPrefill(chunk: Int) throws {
        let model = try TinyModel()
        try model.encode(ImageID(0))
        let sequence = try model.sequence(TinyModel.ids(20, imageAt: 5), pages: pages, image: ImageID(0))
        let whole = try model.run(sequence, chunk: 64)
        #expect(whole.count == 23)
        let chunked = try model.run(sequence, chunk: chunk)
        #expect(worstDifference(chunked, whole) < 1e-4)
        #expect(whole.joined().contains { abs($0) > 0.1 })
    }

    @Test("results do not depend on the number of threads, bit for bit", arguments: [DType.float32, .bfloat16])
    func threadCounts(dtype: DType) throws {
        let runs = try [1, 2, 3].map { threads in
            let model = try TinyModel(threadCount: threads, dtype: dtype)
            try model.encode(ImageID(0))
            let sequence = try model.sequence(TinyModel.ids(20, imageAt: 5), pages: pages, image: ImageID(0))
            return try model.run(sequence, chunk: 9)
        }
        #expect(runs[0] == runs[1])
        #expect(runs[0] == runs[2])
    }

    @Test("a packed batch of prefill and decode rows equals separate runs")
    func mixedBatch() throws {
        let model = try TinyModel()
        try model.encode(ImageID(0))
        try model.encode(ImageID(1))
        let sequences = [
            try model.sequence(TinyModel.ids(14, seed: 1, imageAt: 2), pages: [9, 1, 33, 12, 4], image: ImageID(0)),
            try model.sequence(TinyModel.ids(9, seed: 2), pages: [10, 0, 39]),
            try model.sequence(TinyModel.ids(12, seed: 3, imageAt: 8), pages: [3, 21, 7, 20], image: ImageID(1)),
        ]
        let separate = try sequences.map { try model.run($0, chunk: 64) }

        // First a part of each, then the rest: one row, three rows, and a chunk that begins inside a picture.
        let rest = [16, 6, 10]
        var first = ForwardBatch()
        var second = ForwardBatch()
        for (sequence, split) in zip(sequences, rest) {
            model.append(sequence, 0..<split, to: &first)
            model.append(sequence, split..<sequence.prompt.rowCount, to: &second)
            second.sampledRows.append(Int32(second.rowCount - 1))
        }
        try model.forward(first)
        let packed = try model.forward(second)
        #expect(second.offsets == [0, 1, 4, 9])
        #expect(worstDifference(packed, separate.map { $0[$0.count - 1] }) < 1e-4)
    }

    @Test(
        "only sampled rows go on from the last layer, and give the logits that they have among all",
        arguments: [DType.float32, .bfloat16], [WeightResidency.mapped, .packed])
    func sampledRows(dtype: DType, residency: WeightResidency) throws {
        let model = try TinyModel(dtype: dtype, residency: residency)
        try model.encode(ImageID(0))
        let sequence = try model.sequence(TinyModel.ids(20, imageAt: 5), pages: pages, image: ImageID(0))
        /// Logits of two chunks whose rows are sampled as asked.
        func logits(_ first: [Int32], _ second: [Int32], probe: Probe? = nil) throws -> [[Float]] {
            try zip([0..<10, 10..<23], [first, second]).flatMap { rows, sampled in
                var batch = ForwardBatch()
                model.append(sequence, rows, to: &batch)
                batch.sampledRows = sampled
                return try model.forward(batch, probe: probe)
            }
        }
        let all = try logits(Array(0..<10), Array(0..<13))
        // Bit for bit where weights are packed: products of weights as they are stored sum few rows in another order.
        let tolerance: Float = residency == .packed ? 0 : dtype == .float32 ? 1e-4 : 3e-2
        func expectAmongAll(_ logits: [[Float]], _ rows: [Int]) {
            #expect(worstDifference(logits, rows.map { all[$0] }) <= tolerance, "rows \(rows)")
        }
        expectAmongAll(try logits([], [12]), [22])
        expectAmongAll(try logits([9], [0, 7, 8]), [9, 10, 17, 18])
        expectAmongAll(try logits([0, 1, 2, 3, 4, 5, 6, 7, 8], []), Array(0..<9))
        var hiddenRows: [Int] = []
        let probed = try logits([9], [12]) { point, tensor in
            if point.hasPrefix("hidden.") { hiddenRows.append(tensor.rowCount) }
        }
        expectAmongAll(probed, [9, 22])
        #expect(hiddenRows == [10, 10, 10, 13, 13, 13], "who looks sees all rows")
    }

    @Test("the picture and its positions reach the logits")
    func pictureMatters() throws {
        let model = try TinyModel()
        try model.encode(ImageID(0))
        let ids = TinyModel.ids(12, imageAt: 4)
        let sequence = try model.sequence(ids, pages: pages, image: ImageID(0))
        let first = try model.run(sequence, chunk: 64)
        model.features.release(ImageID(0))
        try model.encode(ImageID(1))
        let other = try model.sequence(ids, pages: pages, image: ImageID(1))
        let second = try model.run(other, chunk: 64)
        #expect(first[3] == second[3])
        #expect(worstDifference([first[14]], [second[14]]) > 1e-4)
    }

    @Test("the request path allocates nothing on the device")
    func noAllocation() throws {
        let configuration = try TinyConfiguration.parsed()
        let backend = CountingBackend(try CPUBackend(threadCount: 1))
        let limits = ModelLimits(maxRows: 16, pageSize: 4, pageCount: 10)
        let model = try GLM4V(
            source: RandomWeights(configuration), configuration: configuration, dtype: .bfloat16, backend: backend)
        let memory = try ModelMemory(for: model, limits: limits)
        let before = backend.allocationCount
        let pixels = [Float](repeating: 0.5, count: memory.pixels.shape.elementCount)
        try model.encode(pixels, as: ImageID(0), memory: memory)
        var batch = ForwardBatch()
        batch.tokenIDs = [1, -1]
        batch.positions = [0, 1]
        batch.slots = [4, 5]
        batch.offsets = [0, 2]
        batch.contextLengths = [2]
        batch.pages = [[1]]
        batch.imageSpans = [ImageSpan(image: ImageID(0), rows: 1..<2, featureRows: 0..<1)]
        batch.sampledRows = [1]
        try model.forward(ForwardPass(batch, memory: memory))
        #expect(backend.allocationCount == before)
    }

    @Test("the first point that is not finite is named")
    func nonFinite() throws {
        let name = "transformer.encoder.layers.1.mlp.dense_4h_to_h.weight"
        let configuration = try TinyConfiguration.parsed()
        let weights = try RandomWeights(configuration, dtype: .float32)
        let stored = try weights.tensor(named: name)
        let storage = try Storage(allocating: stored.byteCount, label: name)
        let poisoned = Tensor(storage, shape: stored.shape, dtype: .float32)
        let backend = try CPUBackend(threadCount: 1)
        let values = [Float](repeating: .nan, count: stored.shape.elementCount)
        try values.withUnsafeBytes { try backend.upload($0, into: poisoned) }

        let model = try TinyModel(source: AlteredSource(weights, replaced: [name: poisoned]))
        let finder = NonFiniteFinder(model.backend)
        var batch = ForwardBatch()
        model.append(try model.sequence([1, 2, 3], pages: pages), 0..<3, to: &batch)
        try model.forward(batch, probe: finder.probe)
        #expect(finder.firstPoint == "hidden.2")

        let healthy = NonFiniteFinder(model.backend)
        try model.encode(ImageID(0), probe: healthy.probe)
        #expect(healthy.firstPoint == nil)
    }

    @Test("the probe sees every named point in order")
    func probePoints() throws {
        let model = try TinyModel()
        var points: [String] = []
        let probe: Probe = { point, _ throws(TensorError) in points.append(point) }
        try model.encode(ImageID(0), probe: probe)
        var batch = ForwardBatch()
        model.append(try model.sequence([1, 2], pages: pages), 0..<2, to: &batch)
        batch.sampledRows = [1]
        try model.forward(batch, probe: probe)
        #expect(
            points == [
                "vision.patch_embedding", "vision.layers.0", "vision.layers.1", "vision.conv", "vision.linear_proj",
                "vision.output", "hidden.0", "hidden.1", "hidden.2", "final_layernorm", "logits",
            ])
    }

    @Test("biases on all products of the decoder are supported")
    func linearBias() throws {
        let plain = try ModelInventory(TinyConfiguration.parsed()).declarations.count
        let configuration = try TinyConfiguration.parsed(["add_bias_linear": true])
        // Three more biases in each of two layers.
        #expect(try ModelInventory(configuration).declarations.count == plain + 6)
        let model = try TinyModel(configuration: configuration)
        let logits = try model.run(model.sequence([1, 2, 3], pages: pages), chunk: 64)
        #expect(logits.joined().allSatisfy { $0.isFinite })
    }
}

@Suite("Weight residency")
struct WeightResidencyTests {
    @Test("weights are packed when there is room beside them, and streamed only when they do not fit")
    func automatic() {
        #expect(WeightResidency.automatic(weightByteCount: 28 << 30, memoryByteCount: 24 << 30) == .streamed)
        #expect(WeightResidency.automatic(weightByteCount: 24 << 30, memoryByteCount: 24 << 30) == .mapped)
        #expect(WeightResidency.automatic(weightByteCount: 22 << 30, memoryByteCount: 24 << 30) == .mapped)
        #expect(WeightResidency.automatic(weightByteCount: 20 << 30, memoryByteCount: 24 << 30) == .packed)
    }

    @Test("packed weights give the logits of stored ones, within rounding", arguments: [DType.float32, .bfloat16])
    func packed(dtype: DType) throws {
        let configuration = try TinyConfiguration.parsed()
        let weights = try RandomWeights(configuration, seed: 7)
        let runs = try [WeightResidency.mapped, .packed].map { residency in
            let model = try TinyModel(dtype: dtype, source: weights, residency: residency)
            try model.encode(ImageID(0))
            let prompt = TinyModel.ids(30, imageAt: 3)
            return try model.run(
                model.sequence(prompt, pages: Array(0..<10), image: ImageID(0)), chunk: dtype == .float32 ? 64 : 7)
        }
        let largest = runs[0].joined().map(abs).max() ?? 0
        #expect(worstDifference(runs[0], runs[1]) <= largest * (dtype == .float32 ? 1e-5 : 0.03))
        #expect(runs[0].joined().contains { abs($0) > 0.01 })
    }

    @Test("streaming reads the next unit ahead, drops the last one, and changes no result")
    func streaming() throws {
        let configuration = try TinyConfiguration.parsed()
        let weights = try RandomWeights(configuration, seed: 7)
        let source = AlteredSource(weights)
        let run = { (model: TinyModel) in
            try model.encode(ImageID(0))
            return try model.run(
                model.sequence(TinyModel.ids(10, imageAt: 3), pages: [4, 1, 2, 3], image: ImageID(0)), chunk: 64)
        }
        let streamed = try TinyModel(source: source, residency: .streamed)
        #expect(try run(streamed) == run(TinyModel(source: weights)))

        // Advice is given on another thread: the last of this run is that the output layer is dropped.
        let layer = { (index: Int, side: String) in "transformer.\(side).layers.\(index)." }
        var advice: [(MemoryAdvice, [String])] = []
        for _ in 0..<10_000 where advice.last?.1.contains("transformer.output_layer.weight") != true {
            advice = source.advice.withLock { $0 }
            sched_yield()
        }
        let ahead = advice.filter { $0.0 == .willNeed }.map { $0.1[0] }
        #expect(ahead.count == 9)
        #expect(ahead[0].hasPrefix(layer(0, "vision.transformer")))
        #expect(ahead[1].hasPrefix(layer(1, "vision.transformer")))
        #expect(ahead[3].hasPrefix(layer(0, "encoder")))
        #expect(ahead[5].hasPrefix(layer(1, "encoder")))
        let dropped = advice.filter { $0.0 == .dontNeed }.flatMap(\.1)
        #expect(Set(dropped) == Set(weights.tensorNames))
    }

    @Test("a mapped checkpoint gives the same logits when its pages are dropped behind the computation")
    func streamedCheckpoint() throws {
        let folder = FixtureFolder.path("glm4v-tiny")
        let bytes = try FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20)
        let configuration = try GLM4VConfiguration(parsing: bytes)
        let runs = try [WeightResidency.mapped, .streamed].map { residency in
            let checkpoint = try Checkpoint(folder: folder.path)
            let model = try TinyModel(source: checkpoint, configuration: configuration, residency: residency)
            return try model.run(model.sequence([5, 6, 7, 8], pages: [2]), chunk: 2)
        }
        #expect(runs[0] == runs[1])
    }
}
