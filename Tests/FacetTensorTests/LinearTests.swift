import FacetTensor
import Testing

/// One product to check.
struct LinearCase: Sendable, CustomTestStringConvertible {
    var rows: Int
    var inputs: Int
    var outputs: Int
    var x: DType
    var weight: DType
    var bias: DType?
    var epilogue: LinearEpilogue = .store
    var y: DType

    var testDescription: String {
        "\(rows)x\(inputs)x\(outputs) \(x)·\(weight)+\(bias.map(String.init(describing:)) ?? "-") \(epilogue) -> \(y)"
    }

    /// Dtypes that may meet: x, weight, result.
    static let dtypes: [(DType, DType, DType)] = [
        (.float32, .float32, .float32), (.float32, .bfloat16, .float32), (.float32, .float16, .float32),
        (.bfloat16, .bfloat16, .bfloat16), (.bfloat16, .bfloat16, .float32), (.bfloat16, .float16, .bfloat16),
        (.bfloat16, .float32, .bfloat16),
    ]

    /// Every dtype and epilogue on shapes that are 1, odd, and just over a tile, a panel and a block.
    static let small: [LinearCase] = {
        let shapes = [
            (1, 1, 1), (1, 33, 17), (3, 588, 544), (8, 129, 35), (9, 31, 5), (14, 64, 32), (15, 1025, 129),
            (29, 513, 33), (100, 2049, 16),
        ]
        var cases: [LinearCase] = []
        for (rows, inputs, outputs) in shapes {
            for (x, weight, y) in dtypes {
                for epilogue in [LinearEpilogue.store, .gelu, .addResidual] {
                    let bias: DType? = epilogue == .store && rows % 2 == 1 ? nil : weight
                    cases.append(
                        LinearCase(
                            rows: rows, inputs: inputs, outputs: outputs, x: x, weight: weight, bias: bias,
                            epilogue: epilogue, y: y))
                }
            }
        }
        return cases
    }()

    /// The model's own products, few rows and just over them.
    static let real: [LinearCase] = [
        (4608, 4096), (4096, 4096), (27392, 4096), (4096, 13696), (5376, 1792), (15360, 1792), (1792, 15360),
    ].flatMap { outputs, inputs in
        [1, 17].map { rows in
            LinearCase(
                rows: rows, inputs: inputs, outputs: outputs, x: .bfloat16, weight: .bfloat16, bias: .bfloat16,
                y: .bfloat16)
        }
    }
}

@Suite("linear")
struct LinearTests {
    @Test("agrees with float64 on small shapes of every dtype and epilogue", arguments: BackendUnderTest.all)
    func small(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for product in LinearCase.small { try check(product, backend) }
    }

    @Test("agrees with float64 on the model's shapes", arguments: BackendUnderTest.all)
    func real(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for product in LinearCase.real { try check(product, backend) }
    }

    @Test("agrees with float64 where x is multiplied in several parts")
    func parts() throws {
        // 17 blocks of the depth leave room for 934 rows at a time.
        let product = LinearCase(
            rows: 1900, inputs: 8300, outputs: 17, x: .float32, weight: .bfloat16, bias: nil, y: .float32)
        try check(product, CPUBackend(threadCount: 2))
    }

    /// Runs one product and compares some columns: all of them, or the ends and the middle of many.
    private func check(_ product: LinearCase, _ backend: CPUBackend) throws {
        let (rows, inputs, outputs) = (product.rows, product.inputs, product.outputs)
        let scale = 1 / Float(inputs).squareRoot()
        let x = try backend.random([rows, inputs], product.x, seed: 1)
        let weight = try backend.repeated([outputs, inputs], product.weight, seed: 2, scale: scale)
        let bias = try product.bias.map { try backend.random([outputs], $0, seed: 3) }
        let y = try backend.random([rows, outputs], product.y, seed: 4)
        let before = try backend.values(y)
        try backend.linear(x, backend.bind(weight: weight, bias: bias), epilogue: product.epilogue, into: y)

        let columns = outputs <= 600 ? Array(0..<outputs) : [0, 1, 127, 128, outputs / 2, outputs - 17, outputs - 1]
        let got = try backend.values(y)
        let biases = try bias.map(backend.values)
        let sums = try Reference.linear(
            backend.values(x), rows: rows, weight: columns.map { try backend.values(weight.rows($0..<$0 + 1)) },
            bias: columns.map { biases?[$0] ?? 0 })
        var expected: [Double] = [], chosen: [Double] = []
        for row in 0..<rows {
            for (i, column) in columns.enumerated() {
                let sum = sums[row * columns.count + i]
                chosen.append(got[row * outputs + column])
                switch product.epilogue {
                case .store: expected.append(sum)
                case .gelu: expected.append(Reference.gelu(sum))
                case .addResidual: expected.append(before[row * outputs + column] + sum)
                }
            }
        }
        // Sums of magnitude 1 over up to 15,360 float32 additions.
        expectClose(
            chosen, expected, Tolerance(absolute: 2e-5, storedAs: product.y),
            "\(product.testDescription) on \(backend.instructionSet)")
    }

    @Test("gives a row the same bits whatever rows stand beside it", arguments: BackendUnderTest.all)
    func rowIndependence(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for dtype in [DType.float32, .bfloat16] {
            let layer = try backend.bind(
                weight: backend.random([131, 777], .bfloat16, seed: 1), bias: backend.random([131], .bfloat16, seed: 2))
            let x = try backend.random([61, 777], dtype, seed: 3)
            func run(_ rows: Range<Int>) throws -> [UInt8] {
                let y = try backend.allocate([rows.count, 131], dtype, label: "y")
                try backend.linear(x.rows(rows), layer, epilogue: .store, into: y)
                return try backend.bytes(y)
            }
            let many = try run(0..<61), rowBytes = 131 * dtype.byteCount
            #expect(try run(20..<45) == Array(many[20 * rowBytes..<45 * rowBytes]))
            let few = try run(0..<CPUBackend.fewRowLimit)
            for row in 0..<CPUBackend.fewRowLimit {
                #expect(try run(row..<row + 1) == Array(few[row * rowBytes..<(row + 1) * rowBytes]))
            }
        }
    }

    @Test("carries a NaN and an infinity through", arguments: BackendUnderTest.all)
    func nonFinite(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for rows in [1, 20] {
            for dtype in [DType.float32, .bfloat16] {
                var numbers = [Float](repeating: 1, count: rows * 40)
                numbers[5] = .nan
                let x = try backend.tensor(numbers, [rows, 40], dtype)
                let layer = try backend.bind(
                    weight: backend.tensor([Float](repeating: 1, count: 3 * 40), [3, 40], .bfloat16), bias: nil)
                let y = try backend.allocate([rows, 3], dtype, label: "y")
                for epilogue in [LinearEpilogue.store, .gelu] {
                    try backend.linear(x, layer, epilogue: epilogue, into: y)
                    let got = try backend.values(y)
                    #expect(got.prefix(3).allSatisfy { $0.isNaN })
                    #expect(got.dropFirst(3).allSatisfy { $0 == 40 })
                }
            }
        }
    }
}
