import FacetQuantization
import FacetTensor
import Testing

@Suite("Quantization of matrices")
struct MatrixQuantizerTests {
    /// Codes, scales and loss of a quantized matrix.
    private struct Result {
        let codes: [UInt8]
        let scales: [UInt8]
        let loss: QuantizationLoss
    }

    /// Root mean square error of each scheme on normal rows of 4,096, relative to the weights: bounds on both sides.
    static let bounds: [(QuantizationScheme, ClosedRange<Double>)] = [
        (QuantizationScheme(.int8), 0.006...0.0095), (QuantizationScheme(.int8, groupSize: 128), 0.004...0.0066),
        (QuantizationScheme(.float8), 0.02...0.028), (QuantizationScheme(.int4, groupSize: 64), 0.085...0.096),
        (QuantizationScheme(.int4, groupSize: 128), 0.09...0.102), (QuantizationScheme(.int4), 0.1...0.12),
    ]

    @Test("keeps normal weights within the error of the format", arguments: bounds)
    func errors(_ scheme: QuantizationScheme, _ bound: ClosedRange<Double>) throws {
        let weights = normal(16 * 4096)
        let result = try quantize(weights, inputs: 4096, scheme)
        #expect(bound.contains(result.loss.relativeError), "\(scheme): \(result.loss.relativeError)")
    }

    @Test("the loss that is reported is that of the codes and scales that are written")
    func reportsLoss() throws {
        for scheme in Self.bounds.map(\.0) + [QuantizationScheme(.int4, groupSize: 8)] {
            for inputs in [1, 7, 24, 100, 160] {
                let weights = normal(5 * inputs)
                let result = try quantize(weights, inputs: inputs, scheme)
                var error = 0.0
                for (index, weight) in weights.enumerated() {
                    let distance = Double(weight) - value(result, scheme, inputs, index / inputs, index % inputs)
                    error += distance * distance
                }
                #expect(abs(error - result.loss.squaredError) <= 1e-6 * (1 + error), "\(scheme), \(inputs)")
            }
        }
    }

    @Test("scales are positive and finite, also for zeros and for the smallest and largest numbers")
    func scales() throws {
        let rows: [[Float]] = [
            [Float](repeating: 0, count: 64), [Float](repeating: 0x1p-149, count: 64),
            [Float](repeating: 1e38, count: 64), (0..<64).map { $0 == 3 ? -1e-30 : 0 },
        ]
        for scheme in Self.bounds.map(\.0) {
            let result = try quantize(rows.flatMap(\.self), inputs: 64, scheme)
            for row in rows.indices {
                let scale = self.scale(result, scheme, 64, row, 0)
                #expect(scale > 0 && scale.isFinite, "\(scheme)")
                for k in 0..<64 where row != 1 {
                    let distance = abs(value(result, scheme, 64, row, k) - Double(rows[row][k]))
                    #expect(distance <= 0.08 * Double(rows[row].map(\.magnitude).max() ?? 0), "\(scheme), row \(row)")
                }
            }
        }
    }

    @Test("int4 searches: no scale of a fine grid is better by more than a hair")
    func searches() throws {
        let weights = normal(64)
        let result = try quantize(weights, inputs: 64, QuantizationScheme(.int4, groupSize: 64))
        let largest = weights.map(\.magnitude).max() ?? 0
        let best = (50...160).map { step -> Double in
            let scale = largest / (Float(step) / 10)
            return weights.reduce(0) { sum, weight in
                let code = min(7, max(-8, (weight / scale).rounded()))
                return sum + Double(weight - code * scale) * Double(weight - code * scale)
            }
        }.min()
        #expect(result.loss.squaredError <= 1.03 * (best ?? 0))
    }

    @Test("a weight that is not finite is refused with its row", arguments: [Float.nan, .infinity, -.infinity])
    func refusesNonFinite(_ number: Float) {
        var weights = normal(9 * 40)
        weights[7 * 40 + 3] = number
        #expect(throws: QuantizationError.notFinite(row: 7)) {
            try quantize(weights, inputs: 40, QuantizationScheme(.int8))
        }
    }

    @Test("bfloat16 and float16 sources give what their numbers in float32 give")
    func sources() throws {
        let scheme = QuantizationScheme(.int4, groupSize: 16)
        for dtype in [DType.bfloat16, .float16] {
            let weights = normal(6 * 40)
            var narrow = [UInt8](repeating: 0, count: 2 * weights.count)
            var wide = [Float](repeating: 0, count: weights.count)
            weights.withUnsafeBytes { from in
                narrow.withUnsafeMutableBytes { _ = FloatConversion.convert(from, .float32, to: dtype, $0) }
            }
            narrow.withUnsafeBytes { from in
                wide.withUnsafeMutableBytes { _ = FloatConversion.convert(from, dtype, to: .float32, $0) }
            }
            let (a, b) = (
                try quantize(bytes: narrow, dtype, inputs: 40, scheme), try quantize(wide, inputs: 40, scheme)
            )
            #expect(a.codes == b.codes && a.scales == b.scales)
        }
    }

    @Test("what does not fit float16 is reported")
    func overflow() {
        var target = [UInt8](repeating: 0, count: 4)
        let loss = [Float(1), 70_000].withUnsafeBytes { from in
            target.withUnsafeMutableBytes { FloatConversion.convert(from, .float32, to: .float16, $0) }
        }
        #expect(loss == nil)
    }

    // MARK: Parts

    private func quantize(_ weights: [Float], inputs: Int, _ scheme: QuantizationScheme) throws -> Result {
        try quantize(bytes: weights.withUnsafeBytes { Array($0) }, .float32, inputs: inputs, scheme)
    }

    private func quantize(
        bytes: [UInt8], _ dtype: DType, inputs: Int, _ scheme: QuantizationScheme
    ) throws -> Result {
        let quantizer = MatrixQuantizer(scheme, inputs: inputs)
        let rows = bytes.count / dtype.byteCount / inputs
        var codes = [UInt8](repeating: 0, count: rows * quantizer.codeRowByteCount)
        var scales = [UInt8](repeating: 0, count: rows * quantizer.scaleRowByteCount)
        let loss = try bytes.withUnsafeBytes { source in
            try codes.withUnsafeMutableBytes { codes in
                try scales.withUnsafeMutableBytes { scales in
                    try quantizer.quantize(source, dtype, rows: rows, codes: codes, scales: scales)
                }
            }
        }
        return Result(codes: codes, scales: scales, loss: loss)
    }

    private func scale(_ result: Result, _ scheme: QuantizationScheme, _ inputs: Int, _ row: Int, _ k: Int) -> Float {
        let index = row * scheme.groupCount(inputs: inputs) + k / scheme.groupSize(inputs: inputs)
        return result.scales.withUnsafeBytes { bytes in
            scheme.scaleDType == .float32
                ? bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                : Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
        }
    }

    private func value(_ result: Result, _ scheme: QuantizationScheme, _ inputs: Int, _ row: Int, _ k: Int) -> Double {
        let start = row * scheme.format.rowByteCount(inputs: inputs)
        let scale = Double(scale(result, scheme, inputs, row, k))
        switch scheme.format {
        case .int8: return Double(Int8(bitPattern: result.codes[start + k])) * scale
        case .float8: return Double(Float8.value(of: result.codes[start + k])) * scale
        case .int4:
            let byte = result.codes[start + k / 2]
            return (Double(k % 2 == 0 ? byte & 15 : byte >> 4) - 8) * scale
        }
    }

    /// Normal numbers of variance about 1, the same every time.
    private func normal(_ count: Int) -> [Float] {
        var state: UInt64 = 11
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 31)
        }
        return (0..<count).map { _ in Float((0..<12).reduce(-6.0) { sum, _ in sum + uniform() }) }
    }
}

@Suite("float8")
struct Float8Tests {
    /// The number of a code by the definition of the format.
    private func defined(_ code: UInt8) -> Double {
        let exponent = Int(code >> 3 & 15), fraction = Double(code & 7)
        return exponent == 0
            ? fraction * 0x1p-9 : Double(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    }

    @Test("every code has the number of the definition and is the code of it")
    func roundTrips() {
        for code in UInt8(0)..<0x7F {
            #expect(Double(Float8.value(of: code)) == defined(code))
            #expect(Float8.code(nearest: Float8.value(of: code)) == code)
            #expect(Float8.code(nearest: -Float8.value(of: code)) == code | 0x80)
        }
        #expect(Float8.value(of: 0x7F).isNaN && Float8.value(of: 0xFF).isNaN)
        #expect(Float8.code(nearest: .nan) & 0x7F == 0x7F)
    }

    @Test("between two numbers the nearer one is taken, in the middle the even one")
    func rounds() {
        for code in UInt8(0)..<0x7E {
            let (low, high) = (Float8.value(of: code), Float8.value(of: code + 1))
            let middle = (low + high) / 2
            #expect(Float8.code(nearest: middle) == (code % 2 == 0 ? code : code + 1))
            #expect(Float8.code(nearest: middle.nextDown) == code)
            #expect(Float8.code(nearest: middle.nextUp) == code + 1)
        }
    }

    @Test("numbers beyond the largest become the largest")
    func saturates() {
        for number in [448.1 as Float, 1e30, .infinity] { #expect(Float8.code(nearest: number) == 0x7E) }
    }
}
