import FacetCUDA
import FacetTensor
import Testing

@Suite("A card's products agree with the CPU's")
struct BackendProductTests {
    /// Rows for each path: dot products of 1, 4 and 8 rows, tiles of 16 and of 128.
    private static let rowCounts = [1, 3, 8, 13, 16, 17, 40]

    @Test(
        "floating-point weights, every path and epilogue, with and without NVIDIA's library", arguments: [true, false])
    func floats(usesLibrary: Bool) throws {
        try BackendPair.run(usesLibrary: usesLibrary) { pair in
            for dtype in DType.activations {
                for (inputs, outputs) in [(33, 21), (64, 40)] {
                    let weight = try pair.hostRandom([outputs, inputs], dtype, scale: 0.2)
                    let bias = try pair.hostRandom([outputs], dtype)
                    for rows in Self.rowCounts {
                        try check(pair, weight, bias, rows: rows, dtype)
                    }
                }
            }
        }
    }

    @Test("weights of another floating-point type than the activations")
    func mixed() throws {
        try BackendPair.run { pair in
            for dtype in DType.activations {
                for weightType in DType.activations where weightType != dtype {
                    let weight = try pair.hostRandom([13, 40], weightType, scale: 0.2)
                    for rows in [1, 20] { try check(pair, weight, nil, rows: rows, dtype) }
                }
            }
        }
    }

    @Test("logits in float32 of 16-bit activations")
    func logits() throws {
        try BackendPair.run { pair in
            for dtype in [DType.bfloat16, .float16] {
                let weight = try pair.hostRandom([300, 64], dtype, scale: 0.2)
                let (card, cpu) = (
                    try pair.card.bind(weight: weight, bias: nil), try pair.cpu.bind(weight: weight, bias: nil)
                )
                for rows in [1, 5, 16, 30] {
                    let x = try pair.random([rows, 64], dtype)
                    let y = try pair.result([rows, 300], .float32)
                    try pair.card.linear(x.card, card, epilogue: .store, into: y.card)
                    try pair.cpu.linear(x.cpu, cpu, epilogue: .store, into: y.cpu)
                    try pair.expectEqual(y, absolute: 2e-5, "\(rows) rows of \(dtype)")
                }
            }
        }
    }

    @Test("quantized weights in every format, with scales per group, per row and for all", arguments: ["9.0", "7.5"])
    func quantized(capability: String) throws {
        try BackendPair.run(capability: capability) { pair in
            for format in QuantizedFormat.allCases {
                // Rows that fill vectors of 16 bytes, rows that do not, and groups that end early.
                for (inputs, group) in [(64, 32), (50, 50), (72, 64)] {
                    let matrix = try quantized(pair, format, outputs: 23, inputs: inputs, group: group)
                    let bias = try pair.hostRandom([23], .bfloat16)
                    let card = try pair.card.bind(quantized: matrix, bias: bias)
                    let cpu = try pair.cpu.bind(quantized: matrix, bias: bias)
                    for dtype in DType.activations {
                        for rows in [1, 3, 8, 16, 33] {
                            let x = try pair.random([rows, inputs], dtype)
                            let y = try pair.result([rows, 23], dtype)
                            try pair.card.linear(x.card, card, epilogue: .store, into: y.card)
                            try pair.cpu.linear(x.cpu, cpu, epilogue: .store, into: y.cpu)
                            // Weights are rounded to the activations' type; a sum of 64 has a magnitude of about 8.
                            try pair.expectEqual(
                                y, absolute: dtype == .float32 ? 1e-4 : dtype == .float16 ? 8e-3 : 5e-2,
                                "\(format) \(rows)x\(inputs)/\(group) \(dtype)")
                        }
                    }
                }
            }
        }
    }

    @Test("older cards, which multiply no bfloat16 on tensor cores, compute the same")
    func turing() throws {
        try BackendPair.run(capability: "7.5") { pair in
            for dtype in DType.activations {
                let weight = try pair.hostRandom([40, 64], dtype, scale: 0.2)
                for rows in [1, 20] { try check(pair, weight, nil, rows: rows, dtype) }
            }
        }
    }

    private func check(
        _ pair: BackendPair, _ weight: Tensor, _ bias: Tensor?, rows: Int, _ dtype: DType
    ) throws {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let card = try pair.card.bind(weight: weight, bias: bias), cpu = try pair.cpu.bind(weight: weight, bias: bias)
        for epilogue in [LinearEpilogue.store, .gelu, .addResidual] {
            let x = try pair.random([rows, inputs], dtype)
            let y = try pair.random([rows, outputs], dtype)
            try pair.card.linear(x.card, card, epilogue: epilogue, into: y.card)
            try pair.cpu.linear(x.cpu, cpu, epilogue: epilogue, into: y.cpu)
            // NVIDIA's library rounds before GELU.
            try pair.expectEqual(
                y, absolute: dtype == .float32 ? 2e-5 : 2e-3, roundings: 2,
                "\(rows)x\(inputs)x\(outputs) \(dtype)·\(weight.dtype) \(epilogue)")
        }
    }

    private func quantized(
        _ pair: BackendPair, _ format: QuantizedFormat, outputs: Int, inputs: Int, group: Int
    ) throws -> QuantizedMatrix {
        let width = format.rowByteCount(inputs: inputs)
        let codes = try pair.cpu.allocate([outputs, width], format.codeDType, label: "codes")
        var state: UInt32 = 7
        let bytes = (0..<codes.byteCount).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            let byte = UInt8(truncatingIfNeeded: state >> 24)
            // fp8: exponents of up to 2, and no NaN.
            return format == .float8 ? byte & 0xBF : byte
        }
        try bytes.withUnsafeBytes { raw in try pair.cpu.upload(raw, into: codes) }
        let groups = (inputs + group - 1) / group
        let size: Float = format == .int8 ? 0.01 : format == .int4 ? 0.15 : 0.5
        let scales = try pair.cpu.allocate([outputs, groups], .float32, label: "scales")
        let values = (0..<outputs * groups).map { size * (0.5 + Float($0 % 7) / 7) }
        try values.withUnsafeBytes { raw in try pair.cpu.upload(raw, into: scales) }
        return QuantizedMatrix(
            format: format, codes: codes, scales: scales, outputs: outputs, inputs: inputs, groupSize: group)
    }
}

@Suite("A card that computes in float16")
struct HalfPrecisionTests {
    @Test(
        "16-bit weights are converted when they are bound, and products agree with the CPU's",
        arguments: ["7.5", "9.0"])
    func converts(capability: String) throws {
        let machine = try SimulatedMachine(memoryMiB: 160, capability: capability)
        try SimulatedMachine.run(machine) { machine in
            let pair = try BackendPair(machine, weightDType: .float16)
            let weight = try pair.hostRandom([40, 64], .bfloat16, scale: 0.2)
            let bias = try pair.hostRandom([40], .bfloat16)
            let card = try pair.card.bind(weight: weight, bias: bias)
            #expect(card.weight.dtype == .float16 && card.bias?.dtype == .float16)
            #expect(try pair.numbers(card.weight) == pair.numbers(weight))
            for rows in [1, 12, 30] {
                let x = try pair.random([rows, 64], .float16), y = try pair.result([rows, 40], .float16)
                try pair.card.linear(x.card, card, epilogue: .store, into: y.card)
                try pair.cpu.linear(x.cpu, pair.cpu.bind(weight: weight, bias: bias), epilogue: .store, into: y.cpu)
                try pair.expectEqual(y, absolute: 2e-3, roundings: 2, "\(rows) rows")
            }
        }
    }

    @Test("a weight that float16 has no room for is refused; one of float32 stays as it is")
    func range() throws {
        try SimulatedMachine.run(SimulatedMachine(memoryMiB: 160)) { machine in
            let pair = try BackendPair(machine, weightDType: .float16)
            let large = try pair.hostRandom([4, 8], .bfloat16, scale: 1e6)
            #expect(throws: TensorError.notRepresentable(label: "weight", dtype: .float16)) {
                try pair.card.bind(weight: large, bias: nil)
            }
            let wide = try pair.card.bind(weight: pair.hostRandom([4, 8], .float32), bias: nil)
            #expect(wide.weight.dtype == .float32)
        }
    }
}
