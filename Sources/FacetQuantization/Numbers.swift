import FacetTensor

/// Conversions between float32 and the types that weights and scales are stored in.
enum Numbers {
    /// The nearest bfloat16 of a finite number, ties to even.
    static func bfloat16(_ x: Float) -> UInt16 {
        UInt16(truncatingIfNeeded: (x.bitPattern &+ 0x7FFF &+ (x.bitPattern >> 16 & 1)) >> 16)
    }

    /// Reads `count` elements of a floating-point type as float32.
    static func widen(
        _ source: UnsafeRawPointer, _ dtype: DType, count: Int, into target: UnsafeMutablePointer<Float>
    ) {
        switch dtype {
        case .float32:
            for i in 0..<count { target[i] = source.loadUnaligned(fromByteOffset: 4 * i, as: Float.self) }
        case .bfloat16:
            for i in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
                target[i] = Float(bitPattern: UInt32(bits) << 16)
            }
        case .float16:
            for i in 0..<count {
                target[i] = float32(half: source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
            }
        case .int32, .uint8, .int8, .float8E4M3: preconditionFailure("\(dtype) is not a type of weights")
        }
    }

    /// The number of half-precision bits.
    static func float32(half bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16, magnitude = UInt32(bits & 0x7FFF)
        if magnitude >= 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x3FF) << 13) }
        // The exponent's bias differs by 112; multiplying takes subnormal numbers along.
        return Float(bitPattern: sign | magnitude << 13) * 0x1p112
    }

    /// The nearest half of a number, ties to even; infinite beyond 65,520.
    static func float16(_ x: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: x.bitPattern >> 16) & 0x8000
        let bits = x.magnitude.bitPattern
        if bits > 0x7F80_0000 { return sign | 0x7E00 }
        if bits >= 0x477F_F000 { return sign | 0x7C00 }
        if bits < 0x3880_0000 {
            // Adding 0.5 rounds at the weight of a subnormal half's last bit.
            return sign | UInt16(truncatingIfNeeded: (x.magnitude + 0.5).bitPattern &- 0x3F00_0000)
        }
        return sign | UInt16(truncatingIfNeeded: (bits &- 0x3800_0000 &+ 0xFFF &+ (bits >> 13 & 1)) >> 13)
    }
}
