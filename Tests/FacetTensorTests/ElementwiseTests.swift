import FacetTensor
import Testing

@Suite("Elementwise operations")
struct ElementwiseTests {
    static let activations: [DType] = [.float32, .bfloat16]

    @Test("gatedSiLU agrees with float64 in both forms", arguments: BackendUnderTest.all)
    func gatedSiLU(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in Self.activations {
            for (rows, width) in [(1, 1), (3, 33), (2, 4097), (2, 13696)] {
                let fused = try backend.random([rows, 2 * width], dtype, seed: 1, scale: 4)
                let numbers = try backend.values(fused)
                let y = try backend.allocate([rows, width], dtype, label: "y")
                try backend.gatedSiLU(fused, into: y)
                let expected = (0..<rows * width).map { i in
                    let start = i / width * 2 * width + i % width
                    return Reference.silu(numbers[start]) * numbers[start + width]
                }
                expectClose(try backend.values(y), expected, Tolerance(absolute: 1e-5, storedAs: dtype), "fused")

                let gate = try backend.random([rows, width], dtype, seed: 2)
                let up = try backend.random([rows, width], dtype, seed: 3)
                let product = try zip(backend.values(gate), backend.values(up)).map { Reference.silu($0) * $1 }
                try backend.gatedSiLU(gate: gate, up: up, into: up)
                expectClose(try backend.values(up), product, Tolerance(absolute: 1e-5, storedAs: dtype), "separate")
            }
        }
    }

    @Test("GELU is accurate relative to its result, in the tail too", arguments: BackendUnderTest.all)
    func geluTail(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let numbers = (0..<4001).map { Float($0 - 2000) / 150 }
        // A LayerNorm cannot pass chosen numbers on; a product with the one-by-one identity can.
        let one = try backend.bind(weight: backend.tensor([1], [1, 1]), bias: nil)
        let y = try backend.allocate([numbers.count, 1], .float32, label: "y")
        try backend.linear(backend.tensor(numbers, [numbers.count, 1]), one, epilogue: .gelu, into: y)
        for (x, got) in zip(numbers, try backend.values(y)) {
            let expected = Reference.gelu(Double(x))
            // float32 cannot hold x² exactly: the error of e^(-x²/2) grows with x².
            let allowed = abs(expected) * (2e-6 + 6e-8 * Double(x) * Double(x)) + 1e-37
            #expect(abs(got - expected) <= allowed, "GELU(\(x))")
        }
    }

    @Test("a GELU that becomes bfloat16 is the nearest one, or one of two as near", arguments: BackendUnderTest.all)
    func roundedGELU(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let numbers = (0..<4001).map { Float($0 - 2000) / 150 } + [-1e30, -.infinity, 1e30, .infinity]
        let x = try backend.tensor(numbers, [numbers.count, 1], .bfloat16)
        let one = try backend.bind(weight: backend.tensor([1], [1, 1], .bfloat16), bias: nil)
        let y = try backend.allocate([numbers.count, 1], .bfloat16, label: "y")
        try backend.linear(x, one, epilogue: .gelu, into: y)
        for (x, got) in try zip(backend.values(x), backend.values(y)) {
            // The limits of x Φ(x) are x and zero.
            let expected = x > 40 ? x : x < -40 ? 0 : Reference.gelu(x)
            let allowed = expected.isFinite ? abs(expected) * (0x1p-8 + 5e-5) + 1e-37 : 0
            #expect(got == expected || abs(got - expected) <= allowed, "GELU(\(x))")
        }
    }

    @Test("SiLU and GELU have the right limits", arguments: BackendUnderTest.all)
    func limits(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let numbers: [Float] = [-.infinity, -1e30, -200, 0, 200, 1e30, .infinity, .nan]
        let x = try backend.tensor(numbers, [8, 1])
        let y = try backend.allocate([8, 1], .float32, label: "y")
        let expected: [Double] = [0, 0, 0, 0, 200, Double(Float(1e30)), .infinity, .nan]
        let one = try backend.bind(weight: backend.tensor([1], [1, 1]), bias: nil)
        try backend.linear(x.rows(0..<7), one, epilogue: .gelu, into: y.rows(0..<7))
        #expect(try Array(backend.values(y).prefix(7)) == Array(expected.prefix(7)))
        let ones = try backend.tensor([Float](repeating: 1, count: 8), [8, 1])
        try backend.gatedSiLU(gate: x, up: ones, into: y)
        let silu = try backend.values(y)
        #expect(Array(silu.prefix(7)) == Array(expected.prefix(7)))
        #expect(silu[7].isNaN)
    }

    @Test("add takes a parameter of any floating-point dtype", arguments: BackendUnderTest.all)
    func add(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in Self.activations {
            for other in [DType.float32, .bfloat16, .float16] {
                for count in [1, 15, 4096, 9001] {
                    let x = try backend.random([count], other, seed: 1)
                    let y = try backend.random([count], dtype, seed: 2)
                    let expected = try zip(backend.values(x), backend.values(y)).map(+)
                    try backend.add(x, to: y)
                    expectClose(
                        try backend.values(y), expected, Tolerance(absolute: 1e-6, storedAs: dtype), "\(other)")
                }
            }
        }
    }

    @Test("scale multiplies in place", arguments: BackendUnderTest.all)
    func scale(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in Self.activations {
            let x = try backend.random([3, 5003], dtype, seed: 1)
            let expected = try backend.values(x).map { $0 / 8 }
            try backend.scale(x, by: 0.125)
            #expect(try backend.values(x) == expected)
        }
    }

    @Test("copy converts every pair of floating-point dtypes", arguments: BackendUnderTest.all)
    func copy(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let dtypes = [DType.float32, .bfloat16, .float16]
        for from in dtypes {
            for to in dtypes {
                let x = try backend.random([5003], from, seed: 1)
                let y = try backend.allocate([5003], to, label: "y")
                try backend.copy(x, into: y)
                let same = try backend.tensor(backend.values(x).map { Float($0) }, [5003], to)
                #expect(try backend.bytes(y) == backend.bytes(same), "\(from) to \(to)")
            }
        }
        let ids = try backend.tensor(indices: [3, -1, 7]), target = try backend.tensor(indices: [0, 0, 0])
        try backend.copy(ids, into: target)
        #expect(try backend.bytes(ids) == backend.bytes(target))
    }

    @Test("containsNonFinite finds one NaN or infinity anywhere", arguments: BackendUnderTest.all)
    func nonFinite(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in [DType.float32, .bfloat16, .float16] {
            for bad in [Float.infinity, -.infinity, .nan] {
                for index in [0, 4095, 4096, 9000] {
                    var numbers = [Float](repeating: 60000, count: 9001)
                    #expect(try !backend.containsNonFinite(backend.tensor(numbers, [9001], dtype)))
                    numbers[index] = bad
                    // Halves are made from finite numbers only: 65536 rounds to infinity.
                    if dtype == .float16 { numbers[index] = 65536 }
                    #expect(try backend.containsNonFinite(backend.tensor(numbers, [9001], dtype)))
                }
            }
        }
    }
}
