import FacetTensor
import Testing

/// Every operation that splits its work, run with one to four threads: the results must have the same bits.
@Suite("Thread count")
struct ThreadCountTests {
    @Test("does not change a bit of any result", arguments: BackendUnderTest.all)
    func bitEquality(_ path: BackendUnderTest) throws {
        for dtype in [DType.float32, .bfloat16] {
            let alone = try results(path.make(threads: 1), dtype)
            for threads in 2...4 {
                let shared = try results(path.make(threads: threads), dtype)
                for (name, bytes) in alone { #expect(shared[name] == bytes, "\(name), \(threads) threads, \(dtype)") }
            }
        }
    }

    private func results(_ backend: CPUBackend, _ dtype: DType) throws -> [String: [UInt8]] {
        var results: [String: [UInt8]] = [:]
        func record(_ name: String, _ shape: Shape, _ run: (Tensor) throws -> Void) throws {
            let y = try backend.random(shape, dtype, seed: 99)
            try run(y)
            results[name] = try backend.bytes(y)
        }
        let layer = try backend.bind(
            weight: backend.random([389, 1111], .bfloat16, seed: 1), bias: backend.random([389], .float32, seed: 2))
        let x = try backend.random([250, 1111], dtype, seed: 3)
        for rows in [1, 8, 9, 250] {
            try record("linear of \(rows) rows", [rows, 389]) {
                try backend.linear(x.rows(0..<rows), layer, epilogue: .gelu, into: $0)
            }
        }
        let weight = try backend.random([1111], .bfloat16, seed: 4)
        try record("rmsNorm", x.shape) {
            try backend.rmsNorm(x, RMSNormWeights(weight: weight, epsilon: 1e-6), into: $0)
        }
        try record("layerNorm", x.shape) {
            try backend.layerNorm(
                x, LayerNormWeights(weight: weight, bias: weight, epsilon: 1e-6), epilogue: .addResidual, into: $0)
        }
        try record("gatedSiLU", x.shape) { try backend.gatedSiLU(gate: x, up: x, into: $0) }
        try record("add", x.shape) { try backend.add(x, to: $0) }
        try record("scale", x.shape) { try backend.scale($0, by: 1.7) }
        try record("copy", [250, 1111]) { try backend.copy(backend.random(x.shape, .float16, seed: 5), into: $0) }
        try record("gatherRows", [3, 1111]) {
            try backend.gatherRows(x, backend.tensor(indices: [7, 0, 249]), into: $0)
        }
        try record("patchify", [32, 48]) {
            try backend.patchify(backend.random([2, 3, 16, 16], .float32, seed: 6), patch: 4, into: $0)
        }
        try record("gatherNeighborhoods", [9, 20]) {
            try backend.gatherNeighborhoods(backend.random([36, 5], dtype, seed: 7), side: 6, into: $0)
        }
        try record("bidirectionalAttention", [600, 48]) {
            try backend.bidirectionalAttention(
                backend.random([600, 144], dtype, seed: 8), sequenceLength: 300, heads: 3, into: $0)
        }
        let shape = AttentionShape(heads: 8, groups: 2, headDimension: 16)
        let batch = try PagedBatch(
            backend, dtype, shape: shape, pageSize: 16, sequences: [(1, 700), (50, 90), (1, 2)])
        results["pagedAttention"] = try backend.bytes(batch.run())
        let rotary = RotaryTable(
            cosines: try backend.random([4, 4], .float32, seed: 10),
            sines: try backend.random([4, 4], .float32, seed: 11),
            rotatedDimension: 8)
        try record("rotateAndAppend", [2, shape.queryWidth]) {
            try backend.rotateAndAppend(
                backend.random([2, shape.projectionWidth], dtype, seed: 12), shape: shape, rotary: rotary,
                positions: backend.tensor(indices: [1, 3]), slots: backend.tensor(indices: [17, 5]), cache: batch.cache,
                into: $0)
        }
        results["cache"] = try backend.bytes(batch.cache.keys) + backend.bytes(batch.cache.values)
        return results
    }

    @Test("a pool can be made, used and destroyed many times")
    func manyPools() throws {
        for round in 0..<50 {
            let backend = try CPUBackend(threadCount: round % 5 + 1)
            let x = try backend.random([20_000], .float32, seed: UInt64(round))
            let expected = try backend.values(x).map { $0 * 2 }
            try backend.scale(x, by: 2)
            #expect(try backend.values(x) == expected)
        }
    }
}
