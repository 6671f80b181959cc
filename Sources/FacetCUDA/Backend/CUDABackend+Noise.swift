public import FacetTensor

extension CUDABackend {
    /// The card makes them; rows of codes begin at multiples of `codeRowAlignment` bytes.
    public func generate(_ noise: NoiseTensor, label: String) throws(TensorError) -> Tensor? {
        let (rows, kind) = (noise.rowCount, WeightKind(noise.elements))
        var shape = noise.shape, rowByteCount = noise.rowByteCount, counted: Int?
        if case .codes = noise.elements {
            counted = rows * rowByteCount
            rowByteCount = Self.codeRowByteCount(rowByteCount)
            shape = [rows, rowByteCount]
        }
        let tensor = try tensors.allocate(
            shape, noise.dtype, label: label, isZeroed: false, countedByteCount: counted)
        try launch(
            fillNoise, grid: Dimensions(min(rows, 16 * max(1, info.multiprocessorCount))), threads: 256,
            tensor.deviceAddress, kind.kernelCode, Int32(rows), Int32(noise.columnCount), Int32(rowByteCount),
            Int64(bitPattern: noise.seed), Int64(noise.offset), noise.center, noise.width)
        return tensor
    }

    /// Where rows of codes begin, so that kernels read whole vectors.
    static let codeRowAlignment = 16

    /// What a row of codes takes on a card.
    static func codeRowByteCount(_ byteCount: Int) -> Int {
        (byteCount + codeRowAlignment - 1) / codeRowAlignment * codeRowAlignment
    }
}

extension WeightKind {
    /// The kind of random weights.
    fileprivate init(_ elements: NoiseTensor.Elements) {
        switch elements {
        case .codes(.int8): self = .int8
        case .codes(.float8): self = .float8
        case .codes(.int4): self = .int4
        case .numbers(.float16): self = .float16
        case .numbers(.bfloat16): self = .bfloat16
        case .numbers: self = .float32
        }
    }
}
