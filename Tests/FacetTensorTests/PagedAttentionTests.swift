import FacetTensor
import Testing

/// Sequences of several lengths in pages that are scattered over the cache.
struct PagedBatch {
    let backend: CPUBackend
    let shape: AttentionShape
    let cache: KVLayerCache
    let q: Tensor
    let layout: SequenceLayout
    let table: [Int32]

    /// - Parameter sequences: new rows and context length of each.
    init(
        _ backend: CPUBackend, _ dtype: DType, shape: AttentionShape, pageSize: Int,
        sequences: [(new: Int, context: Int)]
    ) throws {
        self.backend = backend
        self.shape = shape
        let pagesPerSequence = sequences.map { ($0.context + pageSize - 1) / pageSize }.max() ?? 0
        let pageCount = sequences.count * pagesPerSequence + 3
        var generator = SeededGenerator(seed: 9)
        let pages = (0..<Int32(pageCount)).shuffled(using: &generator)
        table = Array(pages.prefix(sequences.count * pagesPerSequence))
        let cacheShape: Shape = [pageCount, pageSize, shape.groups, shape.headDimension]
        cache = KVLayerCache(
            keys: try backend.random(cacheShape, dtype, seed: 1),
            values: try backend.random(cacheShape, dtype, seed: 2))
        var offsets: [Int32] = [0]
        for sequence in sequences { offsets.append(offsets[offsets.count - 1] + Int32(sequence.new)) }
        let contexts = sequences.map { Int32($0.context) }
        q = try backend.random([Int(offsets[sequences.count]), shape.queryWidth], dtype, seed: 3)
        layout = SequenceLayout(
            offsets: offsets, contextLengths: contexts, pagesPerSequence: pagesPerSequence,
            deviceOffsets: try backend.tensor(indices: offsets),
            deviceContextLengths: try backend.tensor(indices: contexts),
            devicePageTable: try backend.tensor(indices: table, [sequences.count, pagesPerSequence]))
    }

    /// The same batch over another cache.
    init(_ batch: PagedBatch, cache: KVLayerCache) {
        (backend, shape, q, layout, table) = (batch.backend, batch.shape, batch.q, batch.layout, batch.table)
        self.cache = cache
    }

    /// Runs the backend.
    func run() throws -> Tensor {
        let y = try backend.allocate(q.shape, q.dtype, label: "y")
        try backend.pagedAttention(q, shape: shape, cache: cache, layout: layout, into: y)
        return y
    }

    /// The same in float64.
    func expected() throws -> [Double] {
        let queries = try backend.values(q)
        let keys = try numbers(cache.keys), values = try numbers(cache.values)
        var y: [Double] = []
        for sequence in 0..<layout.sequenceCount {
            let rows = Int(layout.offsets[sequence])..<Int(layout.offsets[sequence + 1])
            for (i, row) in rows.enumerated() {
                let visible = 0...Int(layout.contextLengths[sequence]) - rows.count + i
                for head in 0..<shape.heads {
                    let group = head / (shape.heads / shape.groups)
                    func part(_ numbers: [Double], _ token: Int) -> ArraySlice<Double> {
                        let page = Int(table[sequence * layout.pagesPerSequence + token / cache.pageSize])
                        let slot = page * cache.pageSize + token % cache.pageSize
                        let start = slot * shape.keyWidth + group * shape.headDimension
                        return numbers[start..<start + shape.headDimension]
                    }
                    let start = row * shape.queryWidth + head * shape.headDimension
                    y += Reference.attend(
                        queries[start..<start + shape.headDimension], keys: visible.map { part(keys, $0) },
                        values: visible.map { part(values, $0) })
                }
            }
        }
        return y
    }
}

@Suite("Paged attention")
struct PagedAttentionTests {
    @Test("agrees with float64 for packed sequences over scattered pages", arguments: BackendUnderTest.all)
    func conformance(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let shapes = [
            AttentionShape(heads: 4, groups: 2, headDimension: 16),
            AttentionShape(heads: 6, groups: 1, headDimension: 7),
            AttentionShape(heads: 32, groups: 2, headDimension: 128),
            AttentionShape(heads: 4, groups: 4, headDimension: 32),
        ]
        for shape in shapes {
            for dtype in [DType.float32, .bfloat16] {
                let batch = try PagedBatch(
                    backend, dtype, shape: shape, pageSize: 16,
                    sequences: [(5, 5), (1, 530), (33, 40), (1, 1), (0, 3), (2, 16), (1, 513)])
                let tolerance = Tolerance(absolute: dtype == .bfloat16 ? 1.2e-2 : 3e-6, storedAs: dtype)
                expectClose(try backend.values(batch.run()), try batch.expected(), tolerance, "\(shape) \(dtype)")
            }
        }
    }

    @Test("agrees with float64 whatever the page size, around a block of keys", arguments: BackendUnderTest.all)
    func pageSizes(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for pageSize in [1, 5, 32, 64] {
            for shape in [
                AttentionShape(heads: 32, groups: 2, headDimension: 24),
                AttentionShape(heads: 3, groups: 1, headDimension: 10),
            ] {
                for dtype in [DType.float32, .bfloat16] {
                    let batch = try PagedBatch(
                        backend, dtype, shape: shape, pageSize: pageSize,
                        sequences: [(1, 256), (3, 258), (1, 257), (20, 270), (2, 17)])
                    let tolerance = Tolerance(absolute: dtype == .bfloat16 ? 1.2e-2 : 3e-6, storedAs: dtype)
                    expectClose(
                        try backend.values(batch.run()), try batch.expected(), tolerance,
                        "pages of \(pageSize), \(shape), \(dtype)")
                }
            }
        }
    }

    @Test("gives a row the same bits alone, in a chunk and in a batch", arguments: BackendUnderTest.all)
    func rowIndependence(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let shape = AttentionShape(heads: 32, groups: 2, headDimension: 32)
        for dtype in [DType.float32, .bfloat16] {
            let whole = try PagedBatch(
                backend, dtype, shape: shape, pageSize: 16, sequences: [(1, 40), (41, 600), (3, 3)])
            let rowBytes = shape.queryWidth * dtype.byteCount
            let all = try backend.bytes(whole.run())
            // Row 20 of sequence 1 alone: one new row whose context ends with it.
            let pages = whole.layout.pagesPerSequence
            let layout = SequenceLayout(
                offsets: [0, 1], contextLengths: [600 - 41 + 21], pagesPerSequence: pages,
                deviceOffsets: try backend.tensor(indices: [0, 1]),
                deviceContextLengths: try backend.tensor(indices: [580]),
                devicePageTable: whole.layout.devicePageTable.rows(1..<2))
            let y = try backend.allocate([1, shape.queryWidth], dtype, label: "y")
            try backend.pagedAttention(
                whole.q.rows(21..<22), shape: shape, cache: whole.cache, layout: layout, into: y)
            #expect(try backend.bytes(y) == Array(all[21 * rowBytes..<22 * rowBytes]))
        }
    }

    @Test("never reads a slot beyond the context", arguments: BackendUnderTest.all)
    func staleSlots(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let shape = AttentionShape(heads: 4, groups: 2, headDimension: 16)
        for dtype in [DType.float32, .bfloat16] {
            let batch = try PagedBatch(backend, dtype, shape: shape, pageSize: 16, sequences: [(2, 20)])
            let before = try backend.bytes(batch.run())
            // The second page of the sequence holds tokens 16 to 19; its other slots are poisoned.
            let nan = try backend.tensor(
                [Float](repeating: .nan, count: 12 * shape.keyWidth), [12 * shape.keyWidth], dtype)
            let start = (Int(batch.table[1]) * 16 + 4) * shape.keyWidth
            for pages in [batch.cache.keys, batch.cache.values] {
                let stale = pages.reshaped([pages.shape.elementCount]).rows(start..<start + 12 * shape.keyWidth)
                try backend.copy(nan, into: stale)
            }
            #expect(try backend.bytes(batch.run()) == before)
        }
    }
}
