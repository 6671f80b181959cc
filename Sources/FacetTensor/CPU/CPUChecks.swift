import CCPU

/// What every operation asks of its operands before C, which trusts them, sees an address.
extension CPUBackend {
    /// Throws `.shapeMismatch` unless a condition on a tensor's shape holds.
    func require(
        _ condition: Bool, _ tensor: Tensor, _ argument: String, _ expected: @autoclosure () -> String,
        in operation: String
    ) throws(TensorError) {
        guard condition else {
            throw .shapeMismatch(operation: operation, argument: argument, expected: expected(), got: tensor.shape)
        }
    }

    /// Throws `.shapeMismatch` unless a tensor has `rows` rows of `width` elements.
    func require(
        _ tensor: Tensor, rows: Int, width: Int, _ argument: String, in operation: String
    ) throws(TensorError) {
        try require(
            tensor.rowCount == rows && tensor.shape.rowElementCount == width, tensor, argument, "[\(rows), \(width)]",
            in: operation)
    }

    /// Throws `.wrongDevice` unless a tensor lives on this device.
    func requireHere(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        guard tensor.device == device else {
            throw .wrongDevice(operation: operation, argument: argument, expected: device, got: tensor.device)
        }
    }

    /// Throws unless a tensor lives here; traps when its memory is read-only.
    func requireOutput(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        try requireHere(tensor, argument, in: operation)
        precondition(tensor.storage.isWritable, "\(operation): '\(argument)' is mapped read-only")
    }

    /// Throws unless a tensor holds activations on this device.
    func requireActivation(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        try requireHere(tensor, argument, in: operation)
        guard tensor.dtype == .float32 || tensor.dtype == .bfloat16 else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: "float32 or bfloat16", got: tensor.dtype)
        }
    }

    /// Throws unless a tensor holds writable activations of the given dtype on this device.
    func requireResult(
        _ tensor: Tensor, _ dtype: DType, _ argument: String, in operation: String
    ) throws(TensorError) {
        try requireOutput(tensor, argument, in: operation)
        guard tensor.dtype == dtype else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: dtype.rawValue, got: tensor.dtype)
        }
    }

    /// Throws unless a tensor holds floating-point numbers in host memory: what weights and parameters are.
    func requireHostFloat(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        guard tensor.device.kind == .cpu else {
            throw .wrongDevice(operation: operation, argument: argument, expected: device, got: tensor.device)
        }
        guard tensor.dtype.isFloatingPoint else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: "floating-point numbers", got: tensor.dtype)
        }
    }

    /// Throws unless a tensor holds a floating-point parameter of `count` elements in host memory.
    func requireParameter(
        _ tensor: Tensor, count: Int, _ argument: String, in operation: String
    ) throws(TensorError) {
        try requireHostFloat(tensor, argument, in: operation)
        try require(tensor.shape.elementCount == count, tensor, argument, "[\(count)]", in: operation)
    }

    /// The numbers of an int32 tensor on this device.
    ///
    /// - Throws: unless it holds `count` of them.
    func indices(
        _ tensor: Tensor, count: Int, _ argument: String, in operation: String
    ) throws(TensorError) -> UnsafeBufferPointer<Int32> {
        try requireHere(tensor, argument, in: operation)
        guard tensor.dtype == .int32 else {
            throw .unsupportedDType(operation: operation, argument: argument, expected: "int32", got: tensor.dtype)
        }
        try require(tensor.shape.elementCount == count, tensor, argument, "[\(count)]", in: operation)
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
