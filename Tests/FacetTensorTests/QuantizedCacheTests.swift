import FacetTensor
import Testing

extension PagedBatch {
    /// The numbers of a cache's keys or values; of a quantized one, bytes times scale.
    func numbers(_ tensor: Tensor) throws -> [Double] {
        guard tensor.dtype == .uint8 else { return try backend.values(tensor) }
        let bytes = try backend.bytes(tensor), width = shape.headDimension + KVLayerCache.scaleByteCount
        return bytes.withUnsafeBytes { raw in
            (0..<bytes.count / width).flatMap { row in
                let scale = raw.loadUnaligned(fromByteOffset: row * width + shape.headDimension, as: Float.self)
                return (0..<shape.headDimension).map { Double(Int8(bitPattern: raw[row * width + $0])) * Double(scale) }
            }
        }
    }

    /// The same batch with its keys and values appended to a quantized cache, without any rotation.
    func quantized() throws -> PagedBatch {
        let pages = cache.keys.shape
        let quantized: Shape = [
            pages[0], pages[1], shape.groups, shape.headDimension + KVLayerCache.scaleByteCount,
        ]
        let result = KVLayerCache(
            keys: try backend.allocate(quantized, .uint8, label: "keys"),
            values: try backend.allocate(quantized, .uint8, label: "values"))
        let slotCount = pages[0] * pages[1], width = shape.keyWidth
        let keys = try backend.values(cache.keys), values = try backend.values(cache.values)
        var numbers: [Float] = []
        for slot in 0..<slotCount {
            numbers += [Float](repeating: 0, count: shape.queryWidth)
            numbers += keys[slot * width..<(slot + 1) * width].map { Float($0) }
            numbers += values[slot * width..<(slot + 1) * width].map { Float($0) }
        }
        let rotary = RotaryTable(
            cosines: try backend.tensor([1], [1, 1], .float32), sines: try backend.tensor([0], [1, 1], .float32),
            rotatedDimension: 2)
        try backend.rotateAndAppend(
            backend.tensor(numbers, [slotCount, shape.projectionWidth], q.dtype), shape: shape, rotary: rotary,
            positions: backend.tensor(indices: [Int32](repeating: 0, count: slotCount)),
            slots: backend.tensor(indices: (0..<Int32(slotCount)).map { $0 }), cache: result,
            into: backend.allocate([slotCount, shape.queryWidth], q.dtype, label: "queries"))
        return PagedBatch(self, cache: result)
    }
}

@Suite("Quantized cache")
struct QuantizedCacheTests {
    private static let shapes = [
        AttentionShape(heads: 4, groups: 2, headDimension: 16),
        AttentionShape(heads: 6, groups: 1, headDimension: 7),
        AttentionShape(heads: 32, groups: 2, headDimension: 128),
        AttentionShape(heads: 3, groups: 3, headDimension: 34),
    ]

    private static let sequences = [(new: 5, context: 5), (1, 530), (40, 300), (1, 1), (2, 257)]

    @Test("appending rounds each head to 127 steps of its largest element", arguments: BackendUnderTest.all)
    func appends(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for shape in Self.shapes {
            for dtype in [DType.float32, .bfloat16] {
                let batch = try PagedBatch(backend, dtype, shape: shape, pageSize: 5, sequences: [(3, 8)])
                let bytes = try batch.quantized()
                for (plain, coarse) in [
                    (batch.cache.keys, bytes.cache.keys), (batch.cache.values, bytes.cache.values),
                ] {
                    let exact = try batch.numbers(plain), rounded = try bytes.numbers(coarse)
                    for start in stride(from: 0, to: exact.count, by: shape.headDimension) {
                        let head = start..<start + shape.headDimension
                        let step = (exact[head].map { abs($0) }.max() ?? 0) / 127
                        #expect(head.allSatisfy { abs(exact[$0] - rounded[$0]) <= step * 0.5001 })
                    }
                }
            }
        }
    }

    @Test("attention agrees with float64 over the numbers that the bytes stand for", arguments: BackendUnderTest.all)
    func attends(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for shape in Self.shapes {
            for (dtype, pageSize) in [(DType.float32, 16), (.bfloat16, 16), (.bfloat16, 5)] {
                let batch = try PagedBatch(
                    backend, dtype, shape: shape, pageSize: pageSize, sequences: Self.sequences
                ).quantized()
                let tolerance = Tolerance(absolute: dtype == .bfloat16 ? 1.2e-2 : 3e-6, storedAs: dtype)
                expectClose(try backend.values(batch.run()), try batch.expected(), tolerance, "\(shape) \(dtype)")
            }
        }
    }

    @Test("results do not depend on the threads", arguments: BackendUnderTest.all)
    func threads(_ path: BackendUnderTest) throws {
        for dtype in [DType.float32, .bfloat16] {
            let results = try [1, 2, 4].map { threads in
                let batch = try PagedBatch(
                    path.make(threads: threads), dtype, shape: Self.shapes[2], pageSize: 16, sequences: Self.sequences
                ).quantized()
                return try batch.backend.bytes(batch.run())
            }
            #expect(results[0] == results[1] && results[0] == results[2])
        }
    }

    @Test("a NaN or an infinity in a key or value reaches the result", arguments: BackendUnderTest.all)
    func nonFinite(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let shape = AttentionShape(heads: 2, groups: 1, headDimension: 8)
        for dtype in [DType.float32, .bfloat16] {
            for (poison, inKey) in [(Float.nan, true), (.nan, false), (.infinity, true), (-.infinity, false)] {
                let batch = try PagedBatch(backend, dtype, shape: shape, pageSize: 4, sequences: [(1, 4)])
                let slot = Int(batch.table[0]) * 4 + 2
                let poisoned = inKey ? batch.cache.keys : batch.cache.values
                let pages = poisoned.reshaped([poisoned.shape.elementCount])
                try backend.copy(
                    backend.tensor([poison], [1], dtype), into: pages.rows(slot * 8 + 3..<slot * 8 + 4))
                #expect(try backend.containsNonFinite(batch.quantized().run()))
            }
        }
    }

    @Test("bytes without room for their scale are refused")
    func shapes() throws {
        let backend = try CPUBackend(threadCount: 1)
        let shape = AttentionShape(heads: 2, groups: 1, headDimension: 8)
        let batch = try PagedBatch(backend, .float32, shape: shape, pageSize: 4, sequences: [(1, 4)])
        let bare = try backend.allocate(batch.cache.keys.shape, .uint8, label: "keys")
        #expect(throws: TensorError.self) {
            try PagedBatch(batch, cache: KVLayerCache(keys: bare, values: bare)).run()
        }
        let mixed = KVLayerCache(keys: try batch.quantized().cache.keys, values: batch.cache.values)
        #expect(throws: TensorError.self) { try PagedBatch(batch, cache: mixed).run() }
    }
}
