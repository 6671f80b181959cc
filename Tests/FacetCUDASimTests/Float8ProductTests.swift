import FacetCUDA
import FacetTensor
import Testing

@Suite("Many rows become fp8 where the weights are and the card multiplies it")
struct Float8ProductTests {
    @Test(
        "what a card does by its capability and NVIDIA's library",
        arguments: [
            ("8.9", true, Float8Use.library), ("8.9", false, .kernels), ("12.0", false, .kernels),
            ("9.0", true, .library), ("9.0", false, .storage(.library)), ("8.6", true, .storage(.capability)),
        ])
    func use(capability: String, usesLibrary: Bool, expected: Float8Use) throws {
        try BackendPair.run(capability: capability, usesLibrary: usesLibrary) { pair in
            #expect(pair.card.float8Use == expected)
        }
    }

    @Test(
        "products are those of rows that were rounded to fp8 with a scale each",
        arguments: [("8.9", true), ("8.9", false), ("9.0", true), ("12.0", false)])
    func products(capability: String, usesLibrary: Bool) throws {
        try BackendPair.run(capability: capability, usesLibrary: usesLibrary) { pair in
            // Sizes that the library takes, and such that only tiles compute.
            for (inputs, outputs) in [(64, 48), (50, 32), (77, 23)] {
                guard pair.card.float8Use == .kernels || capability == "8.9" || outputs % 16 == 0 else { continue }
                let matrix = try weights(pair, outputs: outputs, inputs: inputs)
                let bias = try pair.hostRandom([outputs], .bfloat16)
                for dtype in [DType.bfloat16, .float16] {
                    for (rows, epilogue) in [(17, LinearEpilogue.store), (40, .gelu), (130, .addResidual)] {
                        try check(pair, matrix, bias, rows: rows, dtype, epilogue)
                    }
                }
            }
        }
    }

    @Test("few rows, float32 ones and scales per group keep weights as storage")
    func storage() throws {
        try BackendPair.run(capability: "8.9") { pair in
            let whole = try weights(pair, outputs: 32, inputs: 64)
            let grouped = try weights(pair, outputs: 32, inputs: 64, group: 32)
            let cases = [(whole, 16, DType.bfloat16), (whole, 40, .float32), (grouped, 40, .bfloat16)]
            for (matrix, rows, dtype) in cases {
                let (card, cpu) = (
                    try pair.card.bind(quantized: matrix, bias: nil), try pair.cpu.bind(quantized: matrix, bias: nil)
                )
                let x = try hardRows(pair, rows, 64, dtype)
                let y = try pair.result([rows, 32], dtype)
                try pair.card.linear(x.card, card, epilogue: .store, into: y.card)
                try pair.cpu.linear(x.cpu, cpu, epilogue: .store, into: y.cpu)
                // Far less than rounding the rows would cost: a unit of fp8 is 16 of bfloat16, which scaled weights
                // are rounded to.
                try pair.expectEqual(
                    y, absolute: dtype == .float32 ? 1e-4 : 5e-2, roundings: 3, "\(rows) rows of \(dtype)")
            }
        }
    }

    @Test("more rows than fit at once, and a row is the same whatever stands beside it", arguments: [true, false])
    func rounds(usesLibrary: Bool) throws {
        try BackendPair.run(capability: "8.9", usesLibrary: usesLibrary) { pair in
            // 160 MiB give 640 KiB: 128 rows of 4096 codes, or of 64 codes with 1,024 sums.
            let (inputs, outputs, rows) = usesLibrary ? (64, 1024, 150) : (4096, 16, 150)
            let matrix = try weights(pair, outputs: outputs, inputs: inputs)
            try check(pair, matrix, nil, rows: rows, .bfloat16, .store)
            let bound = try pair.card.bind(quantized: matrix, bias: nil)
            let x = try hardRows(pair, rows, inputs, .bfloat16)
            let (all, some) = (try pair.result([rows, outputs], .bfloat16), try pair.result([20, outputs], .bfloat16))
            try pair.card.linear(x.card, bound, epilogue: .store, into: all.card)
            try pair.card.linear(x.card.rows(rows - 20..<rows), bound, epilogue: .store, into: some.card)
            #expect(try pair.numbers(all.card).suffix(20 * outputs) == pair.numbers(some.card)[...])
        }
    }

    @Test("switched off, weights are storage")
    func off() throws {
        try SimulatedMachine.run(SimulatedMachine(memoryMiB: 160, capability: "8.9")) { machine in
            var options = CUDAMachine.Options()
            options.usesFloat8Arithmetic = false
            let started = try CUDAMachine(machine.search, cards: [0])
                .start(budgets: [16 << 20], machine.kernelStore(), options)
            #expect(started.backends[0].float8Use == .storage(.switchedOff))
        }
    }

    /// Compares a product with that of rounded rows.
    private func check(
        _ pair: BackendPair, _ matrix: QuantizedMatrix, _ bias: Tensor?, rows: Int, _ dtype: DType,
        _ epilogue: LinearEpilogue
    ) throws {
        let x = try hardRows(pair, rows, matrix.inputs, dtype)
        let y = try pair.random([rows, matrix.outputs], dtype)
        let rounded = try pair.cpu.allocate([rows, matrix.inputs], .float32, label: "rounded")
        let numbers = Float8Rows.rounded(try pair.numbers(x.cpu), width: matrix.inputs)
        try numbers.withUnsafeBytes { bytes in try pair.cpu.upload(bytes, into: rounded) }
        try pair.card.linear(x.card, pair.card.bind(quantized: matrix, bias: bias), epilogue: epilogue, into: y.card)
        try pair.cpu.linear(rounded, pair.cpu.bind(quantized: matrix, bias: bias), epilogue: epilogue, into: y.cpu)
        // The same products; only the order of the sums differs, whose parts are about 10 at most.
        try pair.expectEqual(
            y, absolute: 1e-4, roundings: 1.01, "\(rows)x\(matrix.inputs)x\(matrix.outputs) \(dtype) \(epilogue)")
    }

    /// Rows with an outlier in every third, and one of zeros.
    private func hardRows(
        _ pair: BackendPair, _ count: Int, _ width: Int, _ dtype: DType
    ) throws -> BackendPair.Operand {
        var values = try pair.numbers(pair.random([count, width], .float32).cpu)
        for row in stride(from: 1, to: count, by: 3) { values[row * width + row * 7 % width] *= 60 }
        for column in 0..<width { values[2 * width + column] = 0 }
        let exact = try pair.cpu.allocate([count, width], .float32, label: "test")
        try values.withUnsafeBytes { bytes in try pair.cpu.upload(bytes, into: exact) }
        let host = try pair.cpu.allocate([count, width], dtype, label: "test")
        try pair.cpu.copy(exact, into: host)
        try pair.cpu.copy(host, into: exact)
        return BackendPair.Operand(card: try pair.moved(host), cpu: exact)
    }

    private func weights(
        _ pair: BackendPair, outputs: Int, inputs: Int, group: Int? = nil
    ) throws -> QuantizedMatrix {
        let codes = try pair.cpu.allocate([outputs, inputs], .float8E4M3, label: "codes")
        var state: UInt32 = 7
        let bytes = (0..<codes.byteCount).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24) & 0xBF  // exponents of up to 2, and no NaN
        }
        try bytes.withUnsafeBytes { raw in try pair.cpu.upload(raw, into: codes) }
        let groups = (inputs + (group ?? inputs) - 1) / (group ?? inputs)
        let scales = try pair.cpu.allocate([outputs, groups], .float32, label: "scales")
        let values = (0..<outputs * groups).map { 0.25 + Float($0 % 7) / 14 }
        try values.withUnsafeBytes { raw in try pair.cpu.upload(raw, into: scales) }
        return QuantizedMatrix(
            format: .float8, codes: codes, scales: scales, outputs: outputs, inputs: inputs,
            groupSize: group ?? inputs)
    }
}

/// Rows of numbers as fp8 with a scale each gives them back.
private enum Float8Rows {
    static func rounded(_ values: [Float], width: Int) -> [Float] {
        stride(from: 0, to: values.count, by: width).flatMap { start -> [Float] in
            let row = values[start..<start + width]
            let largest = max(row.reduce(0) { max($0, abs($1)) }, 0x1p-100)
            return row.map { nearest($0 * (448 / largest)) * (largest / 448) }
        }
    }

    /// The nearest number of 3 bits of fraction, exponents from -6 on, up to 448.
    private static func nearest(_ x: Float) -> Float {
        let magnitude = min(abs(x), 448)
        let exponent = max(magnitude == 0 ? -6 : Int(magnitude.exponent), -6)
        let unit = Float(sign: .plus, exponent: exponent - 3, significand: 1)
        return (x < 0 ? -1 : 1) * (magnitude / unit).rounded(.toNearestOrEven) * unit
    }
}
