public import FacetTensor

/// Converts weights between float32, bfloat16 and float16, rounding to nearest, ties to even.
public enum FloatConversion {
    /// Converts elements; all must be finite in the new type.
    ///
    /// - Parameters:
    ///   - source: elements of type `dtype`, perhaps misaligned.
    ///   - target: as many elements of type `newDType`; written.
    /// - Returns: the difference, or nil when an element is not finite in the new type.
    public static func convert(
        _ source: UnsafeRawBufferPointer, _ dtype: DType, to newDType: DType, _ target: UnsafeMutableRawBufferPointer
    ) -> QuantizationLoss? {
        let count = source.count / dtype.byteCount
        precondition(target.count == count * newDType.byteCount, "no room")
        var loss = QuantizationLoss()
        guard let from = source.baseAddress, let to = target.baseAddress else { return loss }
        let numbers = UnsafeMutablePointer<Float>.allocate(capacity: count)
        defer { numbers.deallocate() }
        Numbers.widen(from, dtype, count: count, into: numbers)
        var error = 0.0, square = 0.0
        for i in 0..<count {
            let number = numbers[i], result: Float
            switch newDType {
            case .bfloat16:
                let bits = Numbers.bfloat16(number)
                to.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
                result = Float(bitPattern: UInt32(bits) << 16)
            case .float16:
                let bits = Numbers.float16(number)
                to.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
                result = Numbers.float32(half: bits)
            default:
                to.storeBytes(of: number, toByteOffset: 4 * i, as: Float.self)
                result = number
            }
            guard result.isFinite else { return nil }
            error += Double(number - result) * Double(number - result)
            square += Double(number) * Double(number)
        }
        loss.add(squaredError: error, squaredWeight: square)
        return loss
    }
}
