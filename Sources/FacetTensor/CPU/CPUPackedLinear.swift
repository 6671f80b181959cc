import CCPU

extension CPUBackend {
    /// Packs some outputs of a matrix; a matrix is complete when all of them are packed.
    ///
    /// Rows that were just read can be packed while others are read.
    ///
    /// - Parameters:
    ///   - rows: float formats: `[count, inputs]`, any floating-point type. fp8 and int8: `[count, inputs]` bytes,
    ///     the bits of the codes. int4: `[count, ceil(inputs / 2)]` bytes, the even element in the low half, code + 8.
    ///   - scales: `[count, groups]`, of the layout's `scaleDType`, for a format with scales; the code times it is the
    ///     weight.
    ///   - first: the output that the first row is; a multiple of `PackedLayout.step`, within its half of a gated
    ///     matrix.
    /// - Throws: `.shapeMismatch` also for rows that end between two steps and not at the end of the matrix or half.
    public func pack(
        _ rows: Tensor, scales: Tensor? = nil, from first: Int = 0, into matrix: PackedMatrix
    ) throws(TensorError) {
        let operation = "pack", layout = matrix.layout
        try requireHostRows(rows, of: layout, in: operation)
        try require(
            rows.shape.rowElementCount == layout.sourceWidth, rows, "rows", "[count, \(layout.sourceWidth)]",
            in: operation)
        try require(
            layout.isBoundary(first) && layout.isBoundary(first + rows.rowCount), rows, "rows",
            "of whole steps of \(PackedLayout.step) outputs from \(first) on, of \(layout.outputs)", in: operation)
        if layout.format.hasScales {
            let expected = "[\(rows.rowCount), \(layout.groupCount)]"
            guard let scales else {
                throw .shapeMismatch(operation: operation, argument: "scales", expected: expected, got: [0])
            }
            try requireBindable(scales, "scales", in: operation)
            guard scales.dtype == layout.scaleDType else {
                throw .unsupportedDType(
                    operation: operation, argument: "scales", expected: layout.scaleDType.rawValue, got: scales.dtype)
            }
            try require(
                scales.rowCount == rows.rowCount && scales.shape.rowElementCount == layout.groupCount, scales,
                "scales", expected, in: operation)
        }
        let scaleAddress = layout.format.hasScales ? scales?.address : nil
        cc_pack(
            engine, matrix.description, first, rows.rowCount, rows.address,
            rows.dtype.isFloatingPoint ? rows.dtype.code : 0, scaleAddress)
    }

    /// Writes `epilogue(x · weightᵀ + bias)` into `y`.
    ///
    /// bfloat16 rows meet int8 and int4 weights quantized to int8 in groups, where products of bytes are faster; float32
    /// rows are multiplied in float32 whatever the weights.
    ///
    /// - Parameters:
    ///   - x: `[rows, inputs]`, float32 or bfloat16.
    ///   - matrix: packed for the plain product, not the gated one.
    ///   - bias: `[outputs]`.
    ///   - y: `[rows, outputs]`, the dtype of `x` or float32; must not alias `x`.
    /// - Throws: `.shapeMismatch`, `.unsupportedDType`, `.wrongDevice`. Never allocates.
    public func linear(
        _ x: Tensor, _ matrix: PackedMatrix, bias: Tensor? = nil, epilogue: LinearEpilogue, into y: Tensor
    ) throws(TensorError) {
        precondition(!matrix.layout.isGated, "linear: the matrix is packed for gatedLinear")
        try multiply(x, matrix, bias, epilogue.code, y, in: "linear")
    }

    /// Writes `silu(x · gateᵀ) · (x · upᵀ)` into `y`; gate and up are the halves of a gated matrix.
    ///
    /// - Parameters:
    ///   - x: `[rows, inputs]`, float32 or bfloat16.
    ///   - matrix: packed for the gated product.
    ///   - bias: `[outputs]`, added before the activation.
    ///   - y: `[rows, outputs / 2]`, the dtype of `x` or float32; must not alias `x`.
    /// - Throws: `.shapeMismatch`, `.unsupportedDType`, `.wrongDevice`. Never allocates.
    public func gatedLinear(
        _ x: Tensor, _ matrix: PackedMatrix, bias: Tensor? = nil, into y: Tensor
    ) throws(TensorError) {
        precondition(matrix.layout.isGated, "gatedLinear: the matrix is packed for linear")
        try multiply(x, matrix, bias, Int32(CC_GATED_SILU), y, in: "gatedLinear")
    }

    public func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        try rmsNorm(x, norm, into: normalized)
        if let matrix = projection.packed, matrix.layout.isGated {
            return try gatedLinear(normalized, matrix, bias: projection.bias, into: y)
        }
        try linear(normalized, projection, epilogue: .store, into: gateUp)
        try gatedSiLU(gateUp, into: y)
    }

    private func multiply(
        _ x: Tensor, _ matrix: PackedMatrix, _ bias: Tensor?, _ epilogue: Int32, _ y: Tensor, in operation: String
    ) throws(TensorError) {
        let layout = matrix.layout
        try requireActivation(x, "x", in: operation)
        try require(x.shape.rowElementCount == layout.inputs, x, "x", "[rows, \(layout.inputs)]", in: operation)
        try requireRowFits(x, "x", in: operation)
        try requireOutput(y, "y", in: operation)
        guard y.dtype == x.dtype || y.dtype == .float32 else {
            throw .unsupportedDType(
                operation: operation, argument: "y", expected: "\(x.dtype) or float32", got: y.dtype)
        }
        try require(y, rows: x.rowCount, width: layout.resultWidth, "y", in: operation)
        if let bias { try requireParameter(bias, count: layout.outputs, "bias", in: operation) }
        cc_linear_packed(
            engine, x.address, x.dtype.code, x.rowCount, matrix.description, bias?.address, bias?.dtype.code ?? 0,
            epilogue, y.address, y.dtype.code)
    }

    /// Throws unless rows of a matrix are of a type that its format is packed from, in host memory.
    private func requireHostRows(
        _ rows: Tensor, of layout: PackedLayout, in operation: String
    ) throws(TensorError) {
        guard layout.format.hasScales else { return try requireBindable(rows, "rows", in: operation) }
        guard rows.device.kind == .cpu else {
            throw .wrongDevice(operation: operation, argument: "rows", expected: device, got: rows.device)
        }
        guard rows.dtype == .uint8 else {
            throw .unsupportedDType(operation: operation, argument: "rows", expected: "uint8", got: rows.dtype)
        }
    }
}

extension PackedLayout {
    /// Whether a part of the matrix may start or end before an output.
    fileprivate func isBoundary(_ output: Int) -> Bool {
        let half = isGated ? outputs / 2 : outputs
        guard (0...outputs).contains(output) else { return false }
        return output % half % Self.step == 0
    }
}
