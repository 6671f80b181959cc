public import FacetTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Small products and attention of a device against the same in double precision.
///
/// The numbers are the same on every machine. Errors are relative to the sum of the magnitudes that were added, so
/// that one bound holds for every element.
public struct SelfTest {
    private let backend: any Backend
    private let label: String
    private let dtypes: [DType]

    /// Names the device.
    ///
    /// - Parameters:
    ///   - label: the device in the report, such as `cpu avx2`.
    ///   - dtype: the 16-bit type that it computes in.
    public init(_ backend: any Backend, label: String, dtype: DType = .bfloat16) {
        self.backend = backend
        self.label = label
        dtypes = [.float32, dtype]
    }

    /// Every operation in both types of activations.
    public func run() -> [SelfTestFacts.Operation] {
        dtypes.flatMap { dtype in
            [
                // One row takes another path than many; neither size is a multiple of a tile.
                operation("product of 1 row", dtype) { try product(rows: 1, inputs: 1025, outputs: 67, dtype) },
                operation("product of 33 rows", dtype) { try product(rows: 33, inputs: 513, outputs: 129, dtype) },
                operation("attention, heads of 112", dtype) { try attention(rows: 65, dimension: 112, dtype) },
                operation("attention, heads of 128", dtype) { try attention(rows: 65, dimension: 128, dtype) },
            ]
        }
    }

    private func operation(
        _ name: String, _ dtype: DType, _ body: () throws -> Double
    ) -> SelfTestFacts.Operation {
        let name = "\(name), \(dtype.rawValue)"
        // A bfloat16 has 8 bits, a float16 11: half a unit of rounding a result, and as much again for rounded
        // probabilities.
        let tolerance = dtype == .bfloat16 ? 0x1p-8 : dtype == .float16 ? 0x1p-11 : 1e-5
        do {
            let error = try body()
            return SelfTestFacts.Operation(
                name: name, device: label, error: error.isFinite ? error : nil, tolerance: tolerance,
                problem: error.isFinite ? nil : "the result holds NaN or infinity")
        } catch {
            return SelfTestFacts.Operation(
                name: name, device: label, error: nil, tolerance: tolerance, problem: "\(error)")
        }
    }

    /// The largest error of `x · weightᵀ`.
    private func product(rows: Int, inputs: Int, outputs: Int, _ dtype: DType) throws -> Double {
        let x = TestNumbers(rows * inputs, dtype, seed: 1)
        let weight = TestNumbers(outputs * inputs, dtype, seed: 2)
        let y = try backend.allocate([rows, outputs], dtype, label: "self-test")
        let layer = try backend.bind(weight: weight.tensor([outputs, inputs], on: nil), bias: nil)
        try backend.linear(x.tensor([rows, inputs], on: backend), layer, epilogue: .store, into: y)
        let results = try TestNumbers.values(of: y, on: backend)
        var worst = 0.0
        for row in 0..<rows {
            for column in 0..<outputs {
                var (sum, magnitude) = (0.0, 0.0)
                for k in 0..<inputs {
                    let term = x.values[row * inputs + k] * weight.values[column * inputs + k]
                    sum += term
                    magnitude += abs(term)
                }
                worst = Self.larger(worst, abs(results[row * outputs + column] - sum) / magnitude)
            }
        }
        return worst
    }

    /// The largest error of bidirectional attention of two heads.
    private func attention(rows: Int, dimension: Int, _ dtype: DType) throws -> Double {
        let heads = 2
        let hidden = heads * dimension
        let qkv = TestNumbers(rows * 3 * hidden, dtype, seed: 3)
        let y = try backend.allocate([rows, hidden], dtype, label: "self-test")
        try backend.bidirectionalAttention(
            qkv.tensor([rows, 3 * hidden], on: backend), sequenceLength: rows, heads: heads, into: y)
        let results = try TestNumbers.values(of: y, on: backend)
        var worst = 0.0
        for row in 0..<rows {
            for head in 0..<heads {
                let (expected, magnitudes) = Self.attend(qkv.values, row, head, rows: rows, dimension, heads)
                for i in 0..<dimension {
                    let got = results[row * hidden + head * dimension + i]
                    worst = Self.larger(worst, abs(got - expected[i]) / magnitudes[i])
                }
            }
        }
        return worst
    }

    /// One query's result, and what it is when every term counts as positive.
    private static func attend(
        _ qkv: [Double], _ row: Int, _ head: Int, rows: Int, _ dimension: Int, _ heads: Int
    ) -> (result: [Double], magnitudes: [Double]) {
        let hidden = heads * dimension
        func start(_ row: Int, _ part: Int) -> Int { row * 3 * hidden + part * hidden + head * dimension }
        let scores = (0..<rows).map { other in
            (0..<dimension).reduce(0.0) { $0 + qkv[start(row, 0) + $1] * qkv[start(other, 1) + $1] }
                / Double(dimension).squareRoot()
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        var result = [Double](repeating: 0, count: dimension), magnitudes = result
        for other in 0..<rows {
            for i in 0..<dimension {
                let term = weights[other] / total * qkv[start(other, 2) + i]
                result[i] += term
                magnitudes[i] += abs(term)
            }
        }
        return (result, magnitudes)
    }

    /// The larger of two errors, where NaN is the largest.
    private static func larger(_ left: Double, _ right: Double) -> Double {
        left.isNaN || right.isNaN ? .nan : max(left, right)
    }
}

/// Numbers between -1 and 1 that a type of activations holds exactly.
private struct TestNumbers {
    let values: [Double]
    private let dtype: DType

    init(_ count: Int, _ dtype: DType, seed: UInt64) {
        var state = seed
        self.dtype = dtype
        values = (0..<count).map { _ in
            // The multiplier of Knuth's MMIX generator; eight of its high bits make an exact number of either type.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(Int(state >> 56) - 128) / 128
        }
    }

    /// The numbers on a device; in host memory for none.
    func tensor(_ shape: Shape, on backend: (any Backend)?) throws -> Tensor {
        let bytes = values.flatMap { value -> [UInt8] in
            if dtype == .float16 { return withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { Array($0) } }
            let bits = Float(value).bitPattern
            return withUnsafeBytes(of: bits.littleEndian) { Array(dtype == .bfloat16 ? $0[2...] : $0[...]) }
        }
        guard let backend else {
            let tensor = Tensor(
                try Storage(allocating: bytes.count, label: "self-test"), shape: shape, dtype: dtype)
            UnsafeMutableRawBufferPointer(start: tensor.address, count: bytes.count).copyBytes(from: bytes)
            return tensor
        }
        let tensor = try backend.allocate(shape, dtype, label: "self-test")
        try bytes.withUnsafeBytes { raw in try backend.upload(raw, into: tensor) }
        return tensor
    }

    /// The numbers of a tensor.
    static func values(of tensor: Tensor, on backend: any Backend) throws -> [Double] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        try bytes.withUnsafeMutableBytes { raw in try backend.download(tensor, into: raw) }
        return bytes.withUnsafeBytes { raw in
            (0..<tensor.shape.elementCount).map { index in
                if tensor.dtype == .float16 {
                    return Double(Float16(bitPattern: raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
                }
                if tensor.dtype == .bfloat16 {
                    let high = UInt32(raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                    return Double(Float(bitPattern: high << 16))
                }
                return Double(raw.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
            }
        }
    }
}
