import FacetTensor
import Testing

@Suite("linear with quantized weights")
struct QuantizedLinearTests {
    /// A quantized matrix and the numbers that it stands for, by the definition of its format.
    private struct Sample {
        let matrix: QuantizedMatrix
        let values: [[Double]]
    }

    /// Rows, inputs, outputs, group: 1, odd, over a tile, a panel and a block; groups that end early.
    private static let shapes = [
        (1, 1, 1, 1), (1, 33, 17, 33), (3, 588, 544, 64), (8, 130, 35, 32), (9, 31, 5, 8), (14, 64, 32, 64),
        (15, 1025, 129, 128), (29, 513, 33, 513), (100, 2049, 16, 1026), (1, 13696, 40, 64), (17, 4096, 40, 128),
    ]

    @Test("agrees with float64 for every format, scale type and activation type", arguments: BackendUnderTest.all)
    func agrees(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for (index, (rows, inputs, outputs, group)) in Self.shapes.enumerated() {
            for format in QuantizedFormat.allCases {
                if format == .int4 && group % 2 == 1 && group < inputs { continue }
                for dtype in [DType.float32, .bfloat16] {
                    let scaleType = [DType.float32, .bfloat16, .float16][index % 3]
                    let sample = try sample(
                        backend, format, outputs: outputs, inputs: inputs, group: group, scaleType: scaleType)
                    try check(sample, rows: rows, dtype, backend, "\(rows)x\(inputs)x\(outputs)/\(group) \(format)")
                }
            }
        }
    }

    @Test("agrees when packed, with every type of scales, and packs bfloat16 ones of groups as they are")
    func packed() throws {
        let backend = try CPUBackend(threadCount: 2)
        let forms: [(QuantizedFormat, PackedFormat, group: Int)] = [
            (.int4, .int4, 64), (.int4, .int4, 128), (.int8, .int8, 128), (.int8, .int8, 200), (.float8, .fp8, 200),
        ]
        for (format, packedFormat, group) in forms {
            for scaleType in [DType.float32, .float16, .bfloat16] {
                let sample = try sample(
                    backend, format, outputs: 70, inputs: 200, group: group, scaleType: scaleType)
                let layer = try backend.packed(backend.bind(quantized: sample.matrix, bias: nil), isGated: false)
                let layout = PackedLayout(
                    format: packedFormat, outputs: 70, inputs: 200, group: group < 200 ? group : 0,
                    scaleDType: scaleType == .bfloat16 && group < 200 ? .bfloat16 : .float32)
                #expect(layer.weight.byteCount == layout.byteCount)
                let x = try backend.random([3, 200], .float32, seed: 5)
                let y = try backend.allocate([3, 70], .float32, label: "y")
                try backend.linear(x, layer, epilogue: .store, into: y)
                let expected = try Reference.linear(
                    backend.values(x), rows: 3, weight: sample.values, bias: [Double](repeating: 0, count: 70))
                expectClose(
                    try backend.values(y), expected, Tolerance(absolute: 4e-5, storedAs: .float32),
                    "\(format)/\(group) with scales of \(scaleType)")
            }
        }
    }

    @Test("gives the same bits on any number of threads, and to a row whatever stands beside it")
    func threads() throws {
        var results: [[UInt8]] = []
        for count in [1, 2, 3] {
            let backend = try CPUBackend(threadCount: count)
            let sample = try sample(backend, .int4, outputs: 131, inputs: 776, group: 64, scaleType: .bfloat16)
            let layer = try backend.bind(quantized: sample.matrix, bias: nil)
            let x = try backend.random([61, 776], .bfloat16, seed: 3)
            let y = try backend.allocate([61, 131], .bfloat16, label: "y")
            try backend.linear(x, layer, epilogue: .store, into: y)
            let part = try backend.allocate([25, 131], .bfloat16, label: "part")
            try backend.linear(x.rows(20..<45), layer, epilogue: .store, into: part)
            #expect(try backend.bytes(part) == Array(backend.bytes(y)[20 * 262..<45 * 262]))
            results.append(try backend.bytes(y))
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    @Test("codes and scales of another shape, type or device are refused")
    func refuses() throws {
        let backend = try CPUBackend(threadCount: 1)
        let good = try sample(backend, .int8, outputs: 4, inputs: 16, group: 8, scaleType: .float32).matrix
        func expectRefused(_ argument: String, codes: Tensor? = nil, scales: Tensor? = nil, bias: Tensor? = nil) {
            let matrix = QuantizedMatrix(
                format: .int8, codes: codes ?? good.codes, scales: scales ?? good.scales, outputs: 4, inputs: 16,
                groupSize: 8)
            let error = #expect(throws: TensorError.self) { try backend.bind(quantized: matrix, bias: bias) }
            #expect(error.map { "\($0)".hasPrefix("bind(quantized:bias:): '\(argument)'") } ?? false)
        }
        expectRefused("codes", codes: good.codes.rows(0..<3))
        expectRefused("codes", codes: try backend.allocate([4, 16], .uint8, label: "codes"))
        expectRefused("scales", scales: good.scales.rows(0..<3))
        expectRefused("scales", scales: try backend.tensor(indices: Array(0..<8)))
        expectRefused("bias", bias: try backend.allocate([5], .float32, label: "bias"))
    }

    @Test("a device with a budget copies codes and scales and counts them")
    func budget() throws {
        let host = try CPUBackend(threadCount: 1)
        let sample = try sample(host, .int4, outputs: 8, inputs: 64, group: 32, scaleType: .float16)
        let device = try CPUDevice(index: 3, budgetByteCount: 1 << 20)
        let layer = try device.bind(quantized: sample.matrix, bias: nil)
        try device.synchronize()
        #expect(device.memoryUse?.usedByteCount == 8 * 32 + 8 * 2 * 2)
        #expect(layer.weight.device == device.device && layer.quantized?.scales.device == device.device)
        let small = try CPUDevice(index: 4, budgetByteCount: 8 * 32)
        #expect(throws: TensorError.self) { try small.bind(quantized: sample.matrix, bias: nil) }
    }

    private func check(
        _ sample: Sample, rows: Int, _ dtype: DType, _ backend: CPUBackend, _ name: String
    ) throws {
        let (outputs, inputs) = (sample.matrix.outputs, sample.matrix.inputs)
        let x = try backend.random([rows, inputs], dtype, seed: 5)
        let bias = try backend.random([outputs], .float32, seed: 6)
        let y = try backend.allocate([rows, outputs], .float32, label: "y")
        try backend.linear(x, backend.bind(quantized: sample.matrix, bias: bias), epilogue: .store, into: y)
        // bfloat16 products round an element to 8 bits first; those of arm64 take packed weights alone.
        let usesPairs = dtype == .bfloat16 && backend.instructionSet == .avx512bf16
        let weight = sample.values.map { row in
            usesPairs ? row.map { Double(widened(nearestBFloat16(Float($0)))) } : row
        }
        let expected = try Reference.linear(
            backend.values(x), rows: rows, weight: weight, bias: backend.values(bias))
        expectClose(
            try backend.values(y), expected, Tolerance(absolute: 4e-5, storedAs: .float32),
            "\(name) \(dtype) on \(backend.instructionSet)")
    }

    private func sample(
        _ backend: CPUBackend, _ format: QuantizedFormat, outputs: Int, inputs: Int, group: Int, scaleType: DType
    ) throws -> Sample {
        var generator = SeededGenerator(seed: UInt64(outputs * 31 + inputs))
        let rowBytes = format.rowByteCount(inputs: inputs), groups = (inputs + group - 1) / group
        var bytes = (0..<outputs * rowBytes).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        if format == .float8 { for index in bytes.indices where bytes[index] & 0x7F == 0x7F { bytes[index] = 0x7E } }
        let unit = 1 / Float(format == .int4 ? 5 : format == .int8 ? 74 : 150) / Float(inputs).squareRoot()
        let scales = try backend.tensor(
            (0..<outputs * groups).map { _ in unit * Float.random(in: 0.5..<1.5, using: &generator) },
            [outputs, groups], scaleType)
        let codes = try backend.allocate([outputs, rowBytes], format.codeDType, label: "codes")
        try bytes.withUnsafeBytes { try backend.upload($0, into: codes) }
        let factors = try backend.values(scales)
        let values = (0..<outputs).map { n in
            (0..<inputs).map { k in
                Double(
                    Float(Self.value(format, bytes[n * rowBytes + (format == .int4 ? k / 2 : k)], k))
                        * Float(factors[n * groups + k / group]))
            }
        }
        let matrix = QuantizedMatrix(
            format: format, codes: codes, scales: scales, outputs: outputs, inputs: inputs, groupSize: group)
        return Sample(matrix: matrix, values: values)
    }

    /// What a code means, by the definition of its format.
    private static func value(_ format: QuantizedFormat, _ byte: UInt8, _ k: Int) -> Double {
        switch format {
        case .int8: return Double(Int8(bitPattern: byte))
        case .int4: return Double(k % 2 == 0 ? byte & 15 : byte >> 4) - 8
        case .float8:
            let sign: Double = byte & 0x80 == 0 ? 1 : -1
            let exponent = Int(byte >> 3 & 15), fraction = Double(byte & 7)
            return exponent == 0
                ? sign * fraction * 0x1p-9
                : sign * Double(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
        }
    }
}
