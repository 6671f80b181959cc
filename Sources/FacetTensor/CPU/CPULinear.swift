import CCPU

extension CPUBackend {
    /// Largest number of rows that the single-row path of `linear` takes; the rest is a blocked product.
    public static var fewRowLimit: Int { cc_few_rows() }

    public func linear(
        _ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor
    ) throws(TensorError) {
        let operation = "linear"
        try requireActivation(x, "x", in: operation)
        try require(
            x.shape.rowElementCount == layer.inputs, x, "x", "[rows, \(layer.inputs)]", in: operation)
        try requireOutput(y, "y", in: operation)
        guard y.dtype == x.dtype || y.dtype == .float32 else {
            throw .unsupportedDType(
                operation: operation, argument: "y", expected: "\(x.dtype) or float32", got: y.dtype)
        }
        try require(y, rows: x.rowCount, width: layer.outputs, "y", in: operation)
        if let matrix = layer.packed {
            try linear(x, matrix, bias: layer.bias, epilogue: epilogue, into: y)
            return
        }
        if let matrix = layer.quantized {
            let weight = cc_quantized(
                codes: matrix.codes.address, format: matrix.format.code, scales: matrix.scales.address,
                scale_type: matrix.scales.dtype.code, scale_stride: matrix.scaleStride, group: matrix.groupSize)
            cc_linear_quantized(
                engine, x.address, x.dtype.code, x.rowCount, layer.inputs, weight, layer.outputs, layer.bias?.address,
                layer.bias?.dtype.code ?? 0, epilogue.code, y.address, y.dtype.code)
            return
        }
        try requireFloat(layer.weight, "weight", in: operation)
        cc_linear(
            engine, x.address, x.dtype.code, x.rowCount, layer.inputs, layer.weight.address, layer.weight.dtype.code,
            layer.outputs, layer.bias?.address, layer.bias?.dtype.code ?? 0, epilogue.code, y.address, y.dtype.code)
    }
}

extension QuantizedFormat {
    /// Number of the format in the C interface.
    var code: Int32 {
        switch self {
        case .int8: Int32(CC_INT8)
        case .float8: Int32(CC_FLOAT8)
        case .int4: Int32(CC_INT4)
        }
    }
}

extension LinearEpilogue {
    /// Number of the epilogue in the C interface.
    var code: Int32 {
        switch self {
        case .store: Int32(CC_STORE)
        case .gelu: Int32(CC_GELU)
        case .addResidual: Int32(CC_ADD)
        }
    }
}

extension NormEpilogue {
    /// Number of the epilogue in the C interface.
    var code: Int32 {
        switch self {
        case .store: Int32(CC_STORE)
        case .gelu: Int32(CC_GELU)
        case .addResidual: Int32(CC_ADD)
        }
    }
}
