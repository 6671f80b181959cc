import FacetTensor
import Testing

@Suite("Attention")
struct AttentionTests {
    /// Probabilities, and results, are rounded to bfloat16 where the activations are.
    private func tolerance(_ dtype: DType) -> Tolerance {
        Tolerance(absolute: dtype == .bfloat16 ? 8e-3 : 3e-6, storedAs: dtype)
    }

    @Test("bidirectionalAttention agrees with float64 within each sequence", arguments: BackendUnderTest.all)
    func bidirectional(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        // Lengths of 1, odd, and over a block of 112 queries and 512 keys; the model's 16 and 112.
        for (length, sequences, heads, dimension) in [
            (1, 2, 1, 1), (37, 2, 2, 16), (113, 1, 3, 40), (530, 1, 1, 112), (65, 1, 2, 33), (20, 1, 1, 512),
        ] {
            for dtype in [DType.float32, .bfloat16] {
                let hidden = heads * dimension, rows = length * sequences
                let qkv = try backend.random([rows, 3 * hidden], dtype, seed: UInt64(length))
                let y = try backend.allocate([rows, hidden], dtype, label: "y")
                try backend.bidirectionalAttention(qkv, sequenceLength: length, heads: heads, into: y)
                let numbers = try backend.values(qkv)
                var expected: [Double] = []
                for row in 0..<rows {
                    let sequence = row / length * length..<(row / length + 1) * length
                    for head in 0..<heads {
                        func part(_ row: Int, _ which: Int) -> ArraySlice<Double> {
                            let start = row * 3 * hidden + which * hidden + head * dimension
                            return numbers[start..<start + dimension]
                        }
                        expected += Reference.attend(
                            part(row, 0), keys: sequence.map { part($0, 1) }, values: sequence.map { part($0, 2) })
                    }
                }
                expectClose(
                    try backend.values(y), expected, tolerance(dtype), "length \(length), dimension \(dimension)")
            }
        }
    }

    @Test("survives scores too large for an exponential", arguments: BackendUnderTest.all)
    func largeScores(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        // Scores of ±25,600: every query sees only the key that equals it.
        let rows = 600, dimension = 16
        var numbers: [Float] = []
        for row in 0..<rows {
            let sign: Float = row % 2 == 0 ? 80 : -80
            numbers += [Float](repeating: sign, count: 2 * dimension)
            numbers += [Float](repeating: sign > 0 ? 1 : 2, count: dimension)
        }
        for dtype in [DType.float32, .bfloat16] {
            let y = try backend.allocate([rows, dimension], dtype, label: "y")
            try backend.bidirectionalAttention(
                backend.tensor(numbers, [rows, 3 * dimension], dtype), sequenceLength: rows, heads: 1, into: y)
            let expected = (0..<rows * dimension).map { $0 / dimension % 2 == 0 ? 1.0 : 2.0 }
            expectClose(try backend.values(y), expected, Tolerance(absolute: 1e-5, storedAs: dtype))
        }
    }

    @Test("a NaN in a query or key reaches the result", arguments: BackendUnderTest.all)
    func nan(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in [DType.float32, .bfloat16] {
            for poisoned in [0, 40 * 48 + 16] {
                var numbers = [Float](repeating: 0.5, count: 60 * 48)
                numbers[poisoned] = .nan
                let y = try backend.allocate([60, 16], dtype, label: "y")
                try backend.bidirectionalAttention(
                    backend.tensor(numbers, [60, 48], dtype), sequenceLength: 60, heads: 1, into: y)
                #expect(try backend.containsNonFinite(y))
            }
        }
    }

    @Test("rotateAndAppend rotates interleaved pairs and writes the slots", arguments: BackendUnderTest.all)
    func rotate(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for (heads, groups, dimension, rotated) in [(4, 2, 16, 8), (32, 2, 128, 64), (3, 3, 10, 10)] {
            for dtype in [DType.float32, .bfloat16] {
                let shape = AttentionShape(heads: heads, groups: groups, headDimension: dimension)
                let qkv = try backend.random([3, shape.projectionWidth], dtype, seed: 1)
                let rotary = RotaryTable(
                    cosines: try backend.random([9, rotated / 2], .float32, seed: 2),
                    sines: try backend.random([9, rotated / 2], .float32, seed: 3), rotatedDimension: rotated)
                let cache = KVLayerCache(
                    keys: try backend.allocate([4, 2, groups, dimension], dtype, label: "keys"),
                    values: try backend.allocate([4, 2, groups, dimension], dtype, label: "values"))
                let q = try backend.allocate([3, shape.queryWidth], dtype, label: "q")
                let positions: [Int32] = [8, 0, 8], slots: [Int32] = [7, 2, 0]
                try backend.rotateAndAppend(
                    qkv, shape: shape, rotary: rotary, positions: backend.tensor(indices: positions),
                    slots: backend.tensor(indices: slots), cache: cache, into: q)

                let input = try backend.values(qkv)
                let cosines = try backend.values(rotary.cosines), sines = try backend.values(rotary.sines)
                func expected(_ row: Int, _ head: Int, turned: Bool) -> [Double] {
                    let start = row * shape.projectionWidth + head * dimension
                    var x = Array(input[start..<start + dimension])
                    for pair in 0..<(turned ? rotated / 2 : 0) {
                        let (a, b) = (x[2 * pair], x[2 * pair + 1])
                        let angle = Int(positions[row]) * rotated / 2 + pair
                        x[2 * pair] = a * cosines[angle] - b * sines[angle]
                        x[2 * pair + 1] = b * cosines[angle] + a * sines[angle]
                    }
                    return x
                }
                let tolerance = Tolerance(absolute: 2e-6, storedAs: dtype)
                let queries = (0..<3).flatMap { row in (0..<heads).flatMap { expected(row, $0, turned: true) } }
                expectClose(try backend.values(q), queries, tolerance, "queries")
                var keys = [Double](repeating: 0, count: 8 * shape.keyWidth), values = keys
                for row in 0..<3 {
                    let at = Int(slots[row]) * shape.keyWidth..<(Int(slots[row]) + 1) * shape.keyWidth
                    let key = (0..<groups).flatMap { expected(row, heads + $0, turned: true) }
                    let value = (0..<groups).flatMap { expected(row, heads + groups + $0, turned: false) }
                    keys.replaceSubrange(at, with: key)
                    values.replaceSubrange(at, with: value)
                }
                expectClose(try backend.values(cache.keys), keys, tolerance, "keys")
                #expect(try backend.values(cache.values) == values)
            }
        }
    }
}
