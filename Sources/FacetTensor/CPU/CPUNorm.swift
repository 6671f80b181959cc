import CCPU

extension CPUBackend {
    public func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError) {
        let operation = "rmsNorm"
        let width = try requireNormOperands(x, y, in: operation)
        try requireParameter(norm.weight, count: width, "weight", in: operation)
        cc_rms_norm(
            engine, x.address, x.dtype.code, x.rowCount, width, norm.weight.address, norm.weight.dtype.code,
            norm.epsilon, y.address)
    }

    public func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError) {
        let operation = "layerNorm"
        let width = try requireNormOperands(x, y, in: operation)
        try requireParameter(norm.weight, count: width, "weight", in: operation)
        try requireParameter(norm.bias, count: width, "bias", in: operation)
        cc_layer_norm(
            engine, x.address, x.dtype.code, x.rowCount, width, norm.weight.address, norm.weight.dtype.code,
            norm.bias.address, norm.bias.dtype.code, norm.epsilon, epilogue.code, y.address)
    }

    /// Checks what both norms ask; returns the width.
    private func requireNormOperands(_ x: Tensor, _ y: Tensor, in operation: String) throws(TensorError) -> Int {
        try requireActivation(x, "x", in: operation)
        try requireRowFits(x, "x", in: operation)
        try requireResult(y, x.dtype, "y", in: operation)
        try require(y, rows: x.rowCount, width: x.shape.rowElementCount, "y", in: operation)
        return x.shape.rowElementCount
    }
}
