import FacetTensor

/// Seeded numbers, so that a failure can be repeated (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A bell of variance 1: the sum of twelve uniform numbers.
    mutating func normal() -> Float {
        (0..<12).reduce(into: Float(-6)) { sum, _ in sum += Float.random(in: 0..<1, using: &self) }
    }
}

/// The nearest bfloat16, ties to even: written with float64 comparisons, unlike the kernels.
func nearestBFloat16(_ x: Float) -> UInt16 {
    if x.isNaN { return 0x7FC0 }
    let down = UInt16(truncatingIfNeeded: x.bitPattern >> 16)
    let low = widened(down)
    if low == x || low.isInfinite { return down }
    let up = down + 1
    // Above the largest finite number, the next step counts as 2^128.
    let high = widened(up).isInfinite ? (x < 0 ? -0x1p128 : 0x1p128) : Double(widened(up))
    let toLow = abs(Double(x) - Double(low)), toHigh = abs(high - Double(x))
    if toLow == toHigh { return down % 2 == 0 ? down : up }
    return toLow < toHigh ? down : up
}

/// The number that bfloat16 bits mean.
func widened(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

extension CPUBackend {
    /// A tensor of the given numbers, rounded to `dtype`.
    func tensor(_ values: [Float], _ shape: Shape, _ dtype: DType = .float32) throws -> Tensor {
        let tensor = try allocate(shape, dtype, label: "test")
        switch dtype {
        case .float32: try values.withUnsafeBytes { bytes in try upload(bytes, into: tensor) }
        case .bfloat16:
            let bits = values.map(nearestBFloat16)
            try bits.withUnsafeBytes { bytes in try upload(bytes, into: tensor) }
        case .float16:
            let bits = values.map { float16Bits($0) }
            try bits.withUnsafeBytes { bytes in try upload(bytes, into: tensor) }
        case .int32, .uint8, .int8, .float8E4M3: preconditionFailure("not floating point")
        }
        return tensor
    }

    /// A tensor of int32 numbers.
    func tensor(indices: [Int32], _ shape: Shape? = nil) throws -> Tensor {
        let tensor = try allocate(shape ?? [indices.count], .int32, label: "test")
        try indices.withUnsafeBytes { bytes in try upload(bytes, into: tensor) }
        return tensor
    }

    /// A tensor of normally distributed numbers times `scale`.
    func random(_ shape: Shape, _ dtype: DType, seed: UInt64, scale: Float = 1) throws -> Tensor {
        var generator = SeededGenerator(seed: seed)
        return try tensor((0..<shape.elementCount).map { _ in generator.normal() * scale }, shape, dtype)
    }

    /// As `random`, but a long tensor repeats its first 65,521 numbers (a prime, so that its rows differ).
    func repeated(_ shape: Shape, _ dtype: DType, seed: UInt64, scale: Float) throws -> Tensor {
        let tensor = try allocate(shape, dtype, label: "test")
        let count = min(shape.elementCount, 65_521)
        let pattern = try bytes(random([count], dtype, seed: seed, scale: scale))
        for start in stride(from: 0, to: shape.elementCount, by: count) {
            let length = min(count, shape.elementCount - start)
            let part = Tensor(
                tensor.storage, byteOffset: start * dtype.byteCount, shape: [length], dtype: dtype)
            try pattern.withUnsafeBytes { bytes in
                try upload(UnsafeRawBufferPointer(rebasing: bytes[..<part.byteCount]), into: part)
            }
        }
        return tensor
    }

    /// The raw bytes of a tensor.
    func bytes(_ tensor: Tensor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        try bytes.withUnsafeMutableBytes { target in try download(tensor, into: target) }
        return bytes
    }

    /// The numbers of a floating-point tensor.
    func values(_ tensor: Tensor) throws -> [Double] {
        let bytes = try bytes(tensor)
        return bytes.withUnsafeBytes { raw in
            (0..<tensor.shape.elementCount).map { index in
                switch tensor.dtype {
                case .float32: return Double(raw.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
                case .bfloat16: return Double(widened(raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
                case .float16:
                    return float16Value(raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                case .int32: return Double(raw.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
                case .uint8, .float8E4M3: return Double(raw[index])
                case .int8: return Double(Int8(bitPattern: raw[index]))
                }
            }
        }
    }
}

/// The number that half-precision bits mean, by the definition of the format.
func float16Value(_ bits: UInt16) -> Double {
    let sign: Double = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 31), fraction = Double(bits & 1023)
    if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
    if exponent == 0 { return sign * fraction * 0x1p-24 }
    return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
}

/// The nearest half, ties to even, for numbers in its range; by bisection over all halves.
func float16Bits(_ x: Float) -> UInt16 {
    let magnitude = Double(abs(x))
    var low: UInt16 = 0, high: UInt16 = 0x7C00
    while high - low > 1 {
        let middle = (low + high) / 2
        if float16Value(middle) <= magnitude { low = middle } else { high = middle }
    }
    let above = high == 0x7C00 ? 65536 : float16Value(high)
    let toLow = magnitude - float16Value(low), toHigh = above - magnitude
    let nearest = toLow == toHigh ? (low % 2 == 0 ? low : high) : (toLow < toHigh ? low : high)
    return nearest | (x.sign == .minus ? 0x8000 : 0)
}
