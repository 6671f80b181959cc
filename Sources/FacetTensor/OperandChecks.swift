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

    /// Throws unless a tensor holds floating-point numbers that operations of this device read: here, or for a processor
    /// anywhere in host memory.
    package func requireFloat(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        if device.kind == .cpu {
            try requireReadable(tensor, argument, in: operation)
        } else {
            try requireHere(tensor, argument, in: operation)
        }
        try requireFloatingPoint(tensor, argument, in: operation)
    }

    /// Throws unless a tensor holds floating-point numbers where weights and parameters are bound from: in host memory,
    /// or on this device as `generate` makes them.
    package func requireBindable(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        try requireReadable(tensor, argument, in: operation)
        try requireFloatingPoint(tensor, argument, in: operation)
    }

    /// Throws unless a tensor holds a floating-point parameter of `count` elements that operations of this device read.
    package func requireParameter(
        _ tensor: Tensor, count: Int, _ argument: String, in operation: String
    ) throws(TensorError) {
        try requireFloat(tensor, argument, in: operation)
        try require(tensor.shape.elementCount == count, tensor, argument, "[\(count)]", in: operation)
    }

    /// Throws unless a tensor holds `count` int32 numbers on this device.
    package func requireIndices(
        _ tensor: Tensor, count: Int, _ argument: String, in operation: String
    ) throws(TensorError) {
        try requireHere(tensor, argument, in: operation)
        guard tensor.dtype == .int32 else {
            throw .unsupportedDType(operation: operation, argument: argument, expected: "int32", got: tensor.dtype)
        }
        try require(tensor.shape.elementCount == count, tensor, argument, "[\(count)]", in: operation)
    }

    private func requireReadable(_ tensor: Tensor, _ argument: String, in operation: String) throws(TensorError) {
        guard tensor.device.kind == .cpu || tensor.device == device else {
            throw .wrongDevice(
                operation: operation, argument: argument, expected: device.kind == .cpu ? device : .cpu,
                got: tensor.device)
        }
    }

    private func requireFloatingPoint(
        _ tensor: Tensor, _ argument: String, in operation: String
    ) throws(TensorError) {
        guard tensor.dtype.isFloatingPoint else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: "floating-point numbers", got: tensor.dtype)
        }
    }
}

/// What single operations ask, beside the types that a backend computes in.
extension Backend {
    /// Operands of `gatherRows`.
    package func requireRows(of table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatherRows"
        try requireFloat(table, "table", in: operation)
        try requireOutput(y, "y", in: operation)
        try require(y, rows: y.rowCount, width: table.shape.rowElementCount, "y", in: operation)
        try requireIndices(indices, count: y.rowCount, "indices", in: operation)
    }

    /// Operands of `patchify`.
    package func requirePatches(of pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        let operation = "patchify"
        try requireHere(pixels, "pixels", in: operation)
        guard pixels.dtype == .float32 else {
            throw .unsupportedDType(operation: operation, argument: "pixels", expected: "float32", got: pixels.dtype)
        }
        let shape = pixels.shape
        try require(
            shape.rank == 4 && shape[2] == shape[3] && patch > 0 && shape[2] % patch == 0, pixels, "pixels",
            "[images, channels, side, side] with a side that \(patch) divides", in: operation)
        let grid = shape[2] / patch
        try requireOutput(y, "y", in: operation)
        try require(y, rows: shape[0] * grid * grid, width: shape[1] * patch * patch, "y", in: operation)
    }

    /// Operands of `gatherNeighborhoods`.
    package func requireNeighborhoods(of grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        let operation = "gatherNeighborhoods"
        try require(
            side > 0 && side % 2 == 0 && grid.rowCount == side * side, grid, "grid",
            "[side · side, channels] with the even side \(side)", in: operation)
        try requireResult(y, grid.dtype, "y", in: operation)
        try require(
            y, rows: (side / 2) * (side / 2), width: 4 * grid.shape.rowElementCount, "y", in: operation)
    }

    /// What a dense matrix is bound from.
    package func requireMatrix(_ weight: Tensor, in operation: String) throws(TensorError) {
        try requireBindable(weight, "weight", in: operation)
        try require(weight.shape.rank == 2, weight, "weight", "[outputs, inputs]", in: operation)
    }

    /// What a quantized matrix is bound from.
    package func requireQuantized(_ matrix: QuantizedMatrix, in operation: String) throws(TensorError) {
        let codes = matrix.codes
        try requireReadable(codes, "codes", in: operation)
        guard codes.dtype == matrix.format.codeDType else {
            throw .unsupportedDType(
                operation: operation, argument: "codes", expected: matrix.format.codeDType.rawValue, got: codes.dtype)
        }
        try require(
            codes, rows: matrix.outputs, width: matrix.format.rowByteCount(inputs: matrix.inputs), "codes",
            in: operation)
        try requireBindable(matrix.scales, "scales", in: operation)
        try require(
            matrix.scales.shape.elementCount == matrix.outputs * matrix.groupCount
                || (matrix.groupCount == 1 && matrix.scales.shape.elementCount == 1), matrix.scales, "scales",
            "[\(matrix.outputs), \(matrix.groupCount)]", in: operation)
    }

    /// What a bias of `count` elements is bound from.
    package func requireBias(_ bias: Tensor, count: Int, in operation: String) throws(TensorError) {
        try requireBindable(bias, "bias", in: operation)
        try require(bias.shape.elementCount == count, bias, "bias", "[\(count)]", in: operation)
    }
}
