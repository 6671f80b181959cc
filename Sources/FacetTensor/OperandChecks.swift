/// What operations of every backend ask of their operands.
extension Backend {
    /// Throws `.shapeMismatch` unless a condition on a tensor's shape holds.
    package func require(
        _ condition: Bool, _ tensor: Tensor, _ argument: String, _ expected: @autoclosure () -> String,
        in operation: String
    ) throws(TensorError) {
        guard condition else {
            throw .shapeMismatch(operation: operation, argument: argument, expected: expected(), got: tensor.shape)
        }
    }

    /// Throws `.shapeMismatch` unless a tensor has `rows` rows of `width` elements.
    package func require(
        _ tensor: Tensor, rows: Int, width: Int, _ argument: String, in operation: String
    ) throws(TensorError) {
        try require(
            tensor.rowCount == rows && tensor.shape.rowElementCount == width, tensor, argument, "[\(rows), \(width)]",
            in: operation)
    }

    /// Throws `.wrongDevice` unless a tensor lives on this device.
    package func requireHere(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        guard tensor.device == device else {
            throw .wrongDevice(operation: operation, argument: argument, expected: device, got: tensor.device)
        }
    }

    /// Throws unless a tensor lives here; traps when its memory is read-only.
    package func requireOutput(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        try requireHere(tensor, argument, in: operation)
        precondition(tensor.storage.isWritable, "\(operation): '\(argument)' is mapped read-only")
    }

    /// Throws unless a tensor holds elements of the given dtype that may be written on this device.
    package func requireResult(
        _ tensor: Tensor, _ dtype: DType, _ argument: String, in operation: String
    ) throws(TensorError) {
        try requireOutput(tensor, argument, in: operation)
        guard tensor.dtype == dtype else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: dtype.rawValue, got: tensor.dtype)
        }
    }
}
