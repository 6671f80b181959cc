import FacetTensor

/// Fills tensors with small pseudo-random numbers, quickly and the same way every time.
struct RandomFill {
    /// Numbers in a block that is repeated until a tensor is full; odd, so that rows do not line up.
    private static let blockElementCount = (1 << 20) + 1

    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var blocks: [DType: [UInt8]] = [:]

    /// Writes numbers between -0.05 and 0.05 into a floating-point tensor, codes from 0 to 119 into one of bytes.
    mutating func fill(_ tensor: Tensor, on backend: any Backend) throws {
        let block = block(of: tensor.dtype)
        let flat = tensor.reshaped([tensor.shape.elementCount])
        var start = 0
        while start < flat.rowCount {
            let count = min(Self.blockElementCount, flat.rowCount - start)
            try block.withUnsafeBytes { bytes throws in
                let part = UnsafeRawBufferPointer(rebasing: bytes[..<(count * tensor.dtype.byteCount)])
                try backend.upload(part, into: flat.rows(start..<start + count))
            }
            start += count
        }
    }

    private mutating func block(of dtype: DType) -> [UInt8] {
        if let block = blocks[dtype] { return block }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.blockElementCount * dtype.byteCount)
        for _ in 0..<Self.blockElementCount {
            let bits = nextNumber().bitPattern
            switch dtype {
            case .bfloat16: withUnsafeBytes(of: UInt16(bits >> 16).littleEndian) { bytes.append(contentsOf: $0) }
            // Below 0x78 a byte is a finite number in every 8-bit format.
            case .uint8: bytes.append(UInt8(truncatingIfNeeded: bits >> 8) % 120)
            default: withUnsafeBytes(of: bits.littleEndian) { bytes.append(contentsOf: $0) }
            }
        }
        blocks[dtype] = bytes
        return bytes
    }

    private mutating func nextNumber() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (Float(state >> 40) / Float(1 << 24) - 0.5) * 0.1
    }
}
