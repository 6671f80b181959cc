public import FacetTensor

extension CUDABackend {
    public func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError) {
        let operation = "rmsNorm"
        let kernels = try kernels(of: x, "x", in: operation)
        let width = x.shape.rowElementCount
        try requireResult(y, x.dtype, "y", in: operation)
        try require(y, rows: x.rowCount, width: width, "y", in: operation)
        try requireParameter(norm.weight, count: width, "weight", in: operation)
        try launch(
            kernels.rmsNorm, grid: Dimensions(x.rowCount), threads: 256, x.deviceAddress, Int32(width),
            norm.weight.deviceAddress, norm.weight.dtype.kernelCode, norm.epsilon, y.deviceAddress)
    }

    public func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError) {
        let operation = "layerNorm"
        let kernels = try kernels(of: x, "x", in: operation)
        let width = x.shape.rowElementCount
        try requireResult(y, x.dtype, "y", in: operation)
        try require(y, rows: x.rowCount, width: width, "y", in: operation)
        try requireParameter(norm.weight, count: width, "weight", in: operation)
        try requireParameter(norm.bias, count: width, "bias", in: operation)
        try launch(
            kernels.layerNorm, grid: Dimensions(x.rowCount), threads: 256, x.deviceAddress, Int32(width),
            norm.weight.deviceAddress, norm.weight.dtype.kernelCode, norm.bias.deviceAddress,
            norm.bias.dtype.kernelCode, norm.epsilon, epilogue.kernelCode, y.deviceAddress)
    }

    public func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatedSiLU"
        let kernels = try kernels(of: gateUp, "gateUp", in: operation)
        try requireResult(y, gateUp.dtype, "y", in: operation)
        let width = y.shape.rowElementCount
        try require(gateUp, rows: y.rowCount, width: 2 * width, "gateUp", in: operation)
        let count = y.shape.elementCount
        try launch(
            kernels.gatedSiLUFused, grid: elementGrid(count), threads: 256, gateUp.deviceAddress, Int32(width),
            y.deviceAddress, Int64(count))
    }

    public func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatedSiLU"
        let kernels = try kernels(of: gate, "gate", in: operation)
        try requireResult(y, gate.dtype, "y", in: operation)
        try requireResult(up, gate.dtype, "up", in: operation)
        let width = y.shape.rowElementCount
        try require(gate, rows: y.rowCount, width: width, "gate", in: operation)
        try require(up, rows: y.rowCount, width: width, "up", in: operation)
        let count = y.shape.elementCount
        try launch(
            kernels.gatedSiLU, grid: elementGrid(count), threads: 256, gate.deviceAddress, up.deviceAddress,
            y.deviceAddress, Int64(count))
    }

    public func add(_ x: Tensor, to y: Tensor) throws(TensorError) {
        let operation = "add"
        try requireFloat(x, "x", in: operation)
        let kernels = try kernels(of: y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        try require(x.shape == y.shape, x, "x", y.shape.description, in: operation)
        let count = y.shape.elementCount
        try launch(
            kernels.add, grid: elementGrid(count), threads: 256, x.deviceAddress, x.dtype.kernelCode, y.deviceAddress,
            Int64(count))
    }

    public func scale(_ x: Tensor, by factor: Float) throws(TensorError) {
        let kernels = try kernels(of: x, "x", in: "scale")
        try requireOutput(x, "x", in: "scale")
        let count = x.shape.elementCount
        try launch(kernels.scale, grid: elementGrid(count), threads: 256, x.deviceAddress, factor, Int64(count))
    }

    public func copy(_ x: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "copy"
        guard x.device == device, x.dtype != y.dtype else { return try tensors.copy(x, into: y) }
        try requireFloat(x, "x", in: operation)
        try requireFloat(y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        let count = y.shape.elementCount
        try require(x.shape.elementCount == count, x, "x", "with \(count) elements", in: operation)
        try launch(
            copyConvert, grid: elementGrid(count), threads: 256, x.deviceAddress, x.dtype.kernelCode, y.deviceAddress,
            y.dtype.kernelCode, Int64(count))
    }

    public func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool {
        try requireFloat(x, "x", in: "containsNonFinite")
        let count = x.shape.elementCount
        let flag = tensors.view(scratch.flag, [1], .int32)
        try tensors.run { () throws(CUDAError) in
            try tensors.stream.fill(scratch.flag.address, byteCount: flag.byteCount)
        }
        try launch(
            findNonFinite, grid: elementGrid(count), threads: 256, x.deviceAddress, x.dtype.kernelCode,
            flag.deviceAddress, Int64(count))
        return try tensors.integer(flag) != 0
    }
}
