import CCPU

/// What operations ask of their operands, beside `OperandChecks`, before C, which trusts them, sees an address.
extension CPUBackend {
    /// Throws unless a tensor holds activations on this device.
    func requireActivation(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        try requireHere(tensor, argument, in: operation)
        guard tensor.dtype == .float32 || tensor.dtype == .bfloat16 else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: "float32 or bfloat16", got: tensor.dtype)
        }
    }

    /// The numbers of an int32 tensor on this device.
    ///
    /// - Throws: unless it holds `count` of them.
    func indices(
        _ tensor: Tensor, count: Int, _ argument: String, in operation: String
    ) throws(TensorError) -> UnsafeBufferPointer<Int32> {
        try requireIndices(tensor, count: count, argument, in: operation)
        return UnsafeBufferPointer(start: tensor.address.assumingMemoryBound(to: Int32.self), count: count)
    }

    /// Throws `.indexOutOfRange` at the first index outside `range`.
    func require(
        _ indices: UnsafeBufferPointer<Int32>, in range: Range<Int>, _ argument: String, in operation: String
    ) throws(TensorError) {
        for index in indices where !range.contains(Int(index)) {
            throw .indexOutOfRange(
                operation: operation, argument: argument, index: Int(index), limit: range.upperBound)
        }
    }

    /// Throws unless rows are short enough for the scratch of one thread.
    func requireRowFits(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        let limit = cc_row_limit()
        try require(
            tensor.shape.rowElementCount <= limit, tensor, argument, "rows of at most \(limit) elements",
            in: operation)
    }
}

extension DType {
    /// Number of a floating-point type in the C interface.
    ///
    /// - Precondition: the type is floating point.
    var code: Int32 {
        switch self {
        case .float32: return Int32(CC_F32)
        case .float16: return Int32(CC_F16)
        case .bfloat16: return Int32(CC_BF16)
        case .int32, .uint8, .int8, .float8E4M3: preconditionFailure("\(self) has no arithmetic")
        }
    }
}
