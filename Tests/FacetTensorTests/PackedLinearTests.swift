import FacetTensor
import Testing

/// One packed product to check.
struct PackedCase: Sendable, CustomTestStringConvertible {
    var rows: Int
    var layout: PackedLayout
    var x: DType
    var hasBias: Bool
    var epilogue: LinearEpilogue = .store

    var testDescription: String {
        "\(rows)x\(layout.inputs)x\(layout.outputs) \(x)·\(layout.format.rawValue)/\(layout.group)/\(layout.scaleDType) "
            + "\(epilogue)" + (layout.isGated ? " gated" : "") + (hasBias ? " bias" : "")
    }

    /// Every format, group and epilogue on shapes that are 1, odd, and just over a panel, a tile, a group and a block.
    static let all: [PackedCase] = {
        let shapes = [
            (1, 1, 1), (1, 33, 17), (2, 131, 32), (3, 588, 66), (14, 64, 33), (15, 1025, 34), (29, 513, 161),
            (9, 2057, 40),
        ]
        var cases: [PackedCase] = []
        for (rows, inputs, outputs) in shapes {
            for format in PackedFormat.allCases {
                for (group, scaleDType) in format.scaleForms {
                    for x in [DType.float32, .bfloat16] {
                        let layout = PackedLayout(
                            format: format, outputs: outputs, inputs: inputs, group: group, scaleDType: scaleDType)
                        for epilogue in [LinearEpilogue.store, .gelu, .addResidual] {
                            cases.append(
                                PackedCase(
                                    rows: rows, layout: layout, x: x, hasBias: rows % 2 == 1, epilogue: epilogue))
                        }
                        let gated = PackedLayout(
                            format: format, outputs: outputs + outputs % 2, inputs: inputs, group: group,
                            scaleDType: scaleDType, isGated: true)
                        cases.append(PackedCase(rows: rows, layout: gated, x: x, hasBias: rows % 2 == 1))
                    }
                }
            }
        }
        return cases
    }()
}

extension PackedFormat {
    /// Every group with every type of its scales.
    var scaleForms: [(group: Int, scaleDType: DType)] {
        groups.map { ($0, .float32) } + groups.filter { $0 > 0 }.map { ($0, .bfloat16) }
    }

    /// Groups of 128 as checkpoints have them, where the format has groups.
    var usualForm: (group: Int, scaleDType: DType) { scaleForms[scaleForms.count - 1] }
}

/// Codes, scales, and the weights that they mean.
struct PackedSource {
    let rows: Tensor
    let scales: Tensor?
    let weights: [Double]

    init(_ layout: PackedLayout, on backend: CPUBackend, seed: UInt64) throws {
        let (outputs, inputs) = (layout.outputs, layout.inputs)
        guard layout.format.hasScales else {
            let dtypes: [PackedFormat: DType] = [.float32: .float32, .float16: .float16]
            let scale = 1 / Float(inputs).squareRoot()
            rows = try backend.random(
                [outputs, inputs], dtypes[layout.format] ?? .bfloat16, seed: seed, scale: scale)
            scales = nil
            weights = try backend.values(rows)
            return
        }
        var generator = SeededGenerator(seed: seed)
        // Of a size that makes sums of about 1.
        let largest: Float = layout.format == .fp8 ? 150 : layout.format == .int8 ? 75 : 4
        let factors = (0..<outputs * layout.groupCount).map { _ in
            Float.random(in: 0.5..<1.5, using: &generator) / largest / Float(inputs).squareRoot()
        }
        let scales = try backend.tensor(factors, [outputs, layout.groupCount], layout.scaleDType)
        let scaleValues = try backend.values(scales)
        let width = layout.format == .int4 ? (inputs + 1) / 2 : inputs
        var bytes = [UInt8](repeating: 0, count: outputs * width)
        var weights = [Double](repeating: 0, count: outputs * inputs)
        for output in 0..<outputs {
            for k in 0..<inputs {
                let random = UInt8.random(in: .min ... .max, using: &generator)
                let value: Double
                switch layout.format {
                case .int4:
                    let code = random & 15
                    bytes[output * width + k / 2] |= code << (k % 2 * 4)
                    value = Double(code) - 8
                case .fp8:
                    let code = random & 127 == 127 ? 0 : random
                    bytes[output * width + k] = code
                    value = Self.e4m3Value(code)
                default:
                    bytes[output * width + k] = random
                    value = Double(Int8(bitPattern: random))
                }
                let group = layout.group == 0 ? 0 : k / layout.group
                weights[output * inputs + k] = value * scaleValues[output * layout.groupCount + group]
            }
        }
        let codes = try backend.allocate([outputs, width], .uint8, label: "codes")
        try bytes.withUnsafeBytes { bytes in try backend.upload(bytes, into: codes) }
        rows = codes
        self.scales = scales
        self.weights = weights
    }

    /// The number that e4m3fn bits mean, by the definition of the format.
    private static func e4m3Value(_ bits: UInt8) -> Double {
        let exponent = Int(bits >> 3 & 15), fraction = Double(bits & 7), sign: Double = bits & 0x80 == 0 ? 1 : -1
        if exponent == 0 { return sign * fraction * 0x1p-9 }
        return sign * Double(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    }
}

@Suite("Packed products")
struct PackedLinearTests {
    @Test("agree with float64 in every format and epilogue", arguments: BackendUnderTest.all)
    func small(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for product in PackedCase.all { try check(product, backend) }
    }

    private func check(_ product: PackedCase, _ backend: CPUBackend) throws {
        let layout = product.layout, rows = product.rows, width = layout.resultWidth
        let source = try PackedSource(layout, on: backend, seed: 1)
        let matrix = try PackedMatrix(layout, label: "matrix")
        try backend.pack(source.rows, scales: source.scales, into: matrix)
        let x = try backend.random([rows, layout.inputs], product.x, seed: 2)
        let bias = product.hasBias ? try backend.random([layout.outputs], .bfloat16, seed: 3) : nil
        let y = try backend.random([rows, width], .float32, seed: 4)
        let before = try backend.values(y), biases = try bias.map(backend.values)
        try run(x, matrix, bias, product.epilogue, into: y, on: backend)

        let sums = try Reference.linear(
            backend.values(x), rows: rows,
            weight: (0..<layout.outputs).map {
                Array(source.weights[$0 * layout.inputs..<($0 + 1) * layout.inputs])
            },
            bias: biases ?? [Double](repeating: 0, count: layout.outputs))
        var expected: [Double] = []
        for row in 0..<rows {
            for column in 0..<width {
                let sum = sums[row * layout.outputs + column]
                switch product.epilogue {
                case _ where layout.isGated:
                    expected.append(Reference.silu(sum) * sums[row * layout.outputs + width + column])
                case .store: expected.append(sum)
                case .gelu: expected.append(Reference.gelu(sum))
                case .addResidual: expected.append(before[row * width + column] + sum)
                }
            }
        }
        // Bytes meet rows that are rounded to 127 steps: of sums of about 1, a few hundredths.
        let isQuantized =
            product.x == .bfloat16 && backend.instructionSet != .portable
            && (layout.format == .int8 || layout.format == .int4)
        // A gated result is a product of two sums, so the error of each counts as many times as the other is large.
        let largest = layout.isGated ? max(1, sums.map { abs($0) }.max() ?? 1) : 1
        let absolute = (isQuantized ? 0.1 : 3e-5) * largest
        try expectClose(
            backend.values(y), expected, Tolerance(absolute: absolute, storedAs: .float32),
            "\(product.testDescription) on \(backend.instructionSet)")
    }

    private func run(
        _ x: Tensor, _ matrix: PackedMatrix, _ bias: Tensor?, _ epilogue: LinearEpilogue, into y: Tensor,
        on backend: CPUBackend
    ) throws {
        if matrix.layout.isGated {
            try backend.gatedLinear(x, matrix, bias: bias, into: y)
        } else {
            try backend.linear(x, matrix, bias: bias, epilogue: epilogue, into: y)
        }
    }

    @Test("of bytes are as exact as their rows' rounding allows", arguments: BackendUnderTest.all)
    func quantizedRows(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for format in [PackedFormat.int8, .int4] {
            let layout = PackedLayout(format: format, outputs: 64, inputs: 1024, group: 128)
            let source = try PackedSource(layout, on: backend, seed: 5)
            let matrix = try PackedMatrix(layout, label: "matrix")
            try backend.pack(source.rows, scales: source.scales, into: matrix)
            // Codes of the rows are exact when the largest magnitude of a group is 127.
            let numbers = (0..<20 * 1024).map { (i: Int) -> Float in
                i % 128 == 0 ? 127 : Float(i * 37 % 255 - 127)
            }
            let x = try backend.tensor(numbers, [20, 1024], .bfloat16)
            let y = try backend.allocate([20, 64], .float32, label: "y")
            try backend.linear(x, matrix, epilogue: .store, into: y)
            let expected = try Reference.linear(
                backend.values(x), rows: 20,
                weight: (0..<64).map { Array(source.weights[$0 * 1024..<($0 + 1) * 1024]) },
                bias: [Double](repeating: 0, count: 64))
            try expectClose(backend.values(y), expected, Tolerance(absolute: 2e-3, storedAs: .float32))
        }
    }

    @Test(
        "have the same bits for any threads, and for a row whatever stands beside it", arguments: BackendUnderTest.all)
    func bitEquality(_ path: BackendUnderTest) throws {
        let alone = try path.make(threads: 1), shared = try path.make(threads: 4)
        for format in PackedFormat.allCases {
            for dtype in [DType.float32, .bfloat16] {
                let layout = PackedLayout(
                    format: format, outputs: 390, inputs: 1111, group: format.usualForm.group,
                    scaleDType: format.usualForm.scaleDType, isGated: true)
                let source = try PackedSource(layout, on: alone, seed: 6)
                let x = try alone.random([61, 1111], dtype, seed: 7)
                func run(_ backend: CPUBackend, _ rows: Range<Int>) throws -> [UInt8] {
                    let matrix = try PackedMatrix(layout, label: "matrix")
                    try backend.pack(source.rows, scales: source.scales, into: matrix)
                    let y = try backend.allocate([rows.count, 195], dtype, label: "y")
                    try backend.gatedLinear(x.rows(rows), matrix, into: y)
                    return try backend.bytes(y)
                }
                let many = try run(alone, 0..<61), rowBytes = 195 * dtype.byteCount
                #expect(try run(shared, 0..<61) == many, "\(format)")
                for rows in [0..<1, 60..<61, 3..<5, 20..<34, 20..<45] {
                    let expected = Array(many[rows.lowerBound * rowBytes..<rows.upperBound * rowBytes])
                    #expect(try run(shared, rows) == expected, "\(format), rows \(rows)")
                }
            }
        }
    }

    @Test("do not notice in how many parts a matrix was packed", arguments: [false, true])
    func parts(isGated: Bool) throws {
        let backend = try CPUBackend(threadCount: 2)
        for format in PackedFormat.allCases {
            let layout = PackedLayout(
                format: format, outputs: 200, inputs: 77, group: format.groups[0], isGated: isGated)
            let source = try PackedSource(layout, on: backend, seed: 8)
            func product(_ bounds: [Int]) throws -> [UInt8] {
                let matrix = try PackedMatrix(layout, label: "matrix")
                for (first, end) in zip(bounds, bounds.dropFirst()) {
                    try backend.pack(
                        source.rows.rows(first..<end), scales: source.scales?.rows(first..<end), from: first,
                        into: matrix)
                }
                let x = try backend.random([5, 77], .float32, seed: 9)
                let y = try backend.allocate([5, layout.resultWidth], .float32, label: "y")
                try run(x, matrix, nil, .store, into: y, on: backend)
                return try backend.bytes(y)
            }
            let whole = try product([0, 200])
            #expect(try product(isGated ? [0, 64, 100, 164, 200] : [0, 32, 128, 200]) == whole, "\(format)")
        }
    }

    @Test("carry a NaN through", arguments: BackendUnderTest.all)
    func nonFinite(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for format in PackedFormat.allCases {
            let layout = PackedLayout(
                format: format, outputs: 3, inputs: 40, group: format.usualForm.group,
                scaleDType: format.usualForm.scaleDType)
            let source = try PackedSource(layout, on: backend, seed: 10)
            let matrix = try PackedMatrix(layout, label: "matrix")
            try backend.pack(source.rows, scales: source.scales, into: matrix)
            for dtype in [DType.float32, .bfloat16] {
                for rows in [1, 20] {
                    var numbers = [Float](repeating: 1, count: rows * 40)
                    numbers[5] = .nan
                    let y = try backend.allocate([rows, 3], dtype, label: "y")
                    try backend.linear(
                        backend.tensor(numbers, [rows, 40], dtype), matrix, epilogue: .store, into: y)
                    let got = try backend.values(y)
                    #expect(got.prefix(3).allSatisfy { $0.isNaN }, "\(format)")
                    #expect(got.dropFirst(3).allSatisfy { $0.isFinite }, "\(format)")
                }
            }
        }
    }

    @Test("take as many bytes as the layout says")
    func byteCount() {
        // Panels of 32 outputs; two elements of bfloat16, four of int8, eight of int4 in as many words.
        #expect(PackedLayout(format: .float32, outputs: 33, inputs: 5).byteCount == 2 * 32 * 5 * 4)
        #expect(PackedLayout(format: .bfloat16, outputs: 32, inputs: 5).byteCount == 32 * 6 * 2)
        #expect(PackedLayout(format: .fp8, outputs: 32, inputs: 5).byteCount == 128 + 32 * 6)
        #expect(PackedLayout(format: .int8, outputs: 32, inputs: 130, group: 128).byteCount == 2 * 128 + 32 * 132)
        #expect(PackedLayout(format: .int4, outputs: 32, inputs: 130, group: 64).byteCount == 3 * 128 + 16 * 132)
        let narrow = PackedLayout(format: .int4, outputs: 32, inputs: 130, group: 64, scaleDType: .bfloat16)
        #expect(narrow.byteCount == 3 * 64 + 16 * 132)
        #expect(PackedLayout(format: .bfloat16, outputs: 66, inputs: 2, isGated: true).byteCount == 4 * 32 * 4)
    }

    @Test("refuse operands of another form")
    func errors() throws {
        let backend = try CPUBackend(threadCount: 1)
        let layout = PackedLayout(format: .int8, outputs: 40, inputs: 16)
        let matrix = try PackedMatrix(layout, label: "matrix")
        let source = try PackedSource(layout, on: backend, seed: 11)
        let scales = try #require(source.scales)
        #expect(throws: TensorError.self) { try backend.pack(source.rows, scales: nil, into: matrix) }
        #expect(throws: TensorError.self) {
            try backend.pack(source.rows.rows(0..<31), scales: scales.rows(0..<31), into: matrix)
        }
        #expect(throws: TensorError.self) {
            try backend.pack(source.rows.rows(0..<8), scales: scales.rows(0..<8), from: 40, into: matrix)
        }
        #expect(throws: TensorError.self) {
            try backend.pack(source.rows, scales: scales.rows(0..<39), into: matrix)
        }
        let shortScales = try backend.random([40, 1], .bfloat16, seed: 12)
        #expect(throws: TensorError.self) { try backend.pack(source.rows, scales: shortScales, into: matrix) }
        let floats = try backend.random([40, 16], .float32, seed: 12)
        #expect(throws: TensorError.self) { try backend.pack(floats, scales: scales, into: matrix) }
        try backend.pack(source.rows, scales: scales, into: matrix)
        let y = try backend.allocate([2, 40], .float32, label: "y")
        let narrow = try backend.random([2, 15], .float32, seed: 13)
        #expect(throws: TensorError.self) { try backend.linear(narrow, matrix, epilogue: .store, into: y) }
        let x = try backend.random([2, 16], .float32, seed: 14)
        #expect(throws: TensorError.self) {
            try backend.linear(x, matrix, epilogue: .store, into: backend.allocate([2, 39], .float32, label: "y"))
        }
        #expect(throws: TensorError.self) { try backend.linear(x, matrix, bias: narrow, epilogue: .store, into: y) }
    }
}
