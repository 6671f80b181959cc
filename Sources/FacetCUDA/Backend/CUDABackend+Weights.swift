public import FacetTensor

extension CUDABackend {
    /// They go to the card through pinned memory, in the calling thread's time.
    public var readsWeightsWhileBinding: Bool { true }

    /// Weights and biases of 16 bits are converted to `weightDType`, in their place.
    ///
    /// - Throws: `.notRepresentable` for a number that this type has no room for.
    public func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let operation = "bind(weight:bias:)"
        try requireMatrix(weight, in: operation)
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        return LinearWeights(
            weight: try converted(resident(weight, "weight"), "weight"),
            bias: try bound(bias: bias, count: outputs, in: operation), outputs: outputs, inputs: inputs)
    }

    /// Rows of codes are padded to 16 bytes where they are none, so that kernels read whole vectors.
    public func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let operation = "bind(quantized:bias:)"
        try requireQuantized(matrix, in: operation)
        return LinearWeights(
            quantized: matrix.moved(
                codes: try residentCodes(matrix.codes), scales: try resident(matrix.scales, "scales")),
            bias: try bound(bias: bias, count: matrix.outputs, in: operation))
    }

    public func bind(parameter: Tensor) throws(TensorError) -> Tensor {
        try requireBindable(parameter, "parameter", in: "bind(parameter:)")
        return try resident(parameter, "parameter")
    }

    /// A tensor in this card's memory; what is there already stays where it is.
    private func resident(_ tensor: Tensor, _ label: String) throws(TensorError) -> Tensor {
        tensor.device == device ? tensor : try tensors.resident(tensor, label: label)
    }

    /// Codes in this card's memory; what `generate` made is padded already.
    private func residentCodes(_ codes: Tensor) throws(TensorError) -> Tensor {
        guard codes.device == device else {
            return try tensors.residentRows(codes, alignment: Self.codeRowAlignment, label: "weight")
        }
        return Tensor(
            codes.storage, byteOffset: codes.byteOffset,
            shape: [codes.rowCount, Self.codeRowByteCount(codes.shape.rowElementCount)], dtype: codes.dtype)
    }

    private func bound(bias: Tensor?, count: Int, in operation: String) throws(TensorError) -> Tensor? {
        guard let bias else { return nil }
        try requireBias(bias, count: count, in: operation)
        return try converted(resident(bias, "bias"), "bias")
    }

    /// A tensor on this card in the type of the activations, where that has as many bytes.
    private func converted(_ tensor: Tensor, _ label: String) throws(TensorError) -> Tensor {
        guard let weightDType, weightDType != tensor.dtype, tensor.dtype.isFloatingPoint,
            weightDType.byteCount == tensor.dtype.byteCount
        else { return tensor }
        let result = Tensor(
            tensor.storage, byteOffset: tensor.byteOffset, shape: tensor.shape, dtype: weightDType)
        try copy(tensor, into: result)
        if try containsNonFinite(result) { throw .notRepresentable(label: label, dtype: weightDType) }
        return result
    }
}
