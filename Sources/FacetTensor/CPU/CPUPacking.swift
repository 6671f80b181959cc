import CCPU

extension CPUBackend {
    public func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights {
        guard let layout = PackedLayout(layer, isGated: isGated) else { return layer }
        let matrix = try PackedMatrix(layout, device: device, label: "packed weight")
        try pack(layer, into: matrix)
        return LinearWeights(packed: matrix, bias: layer.bias)
    }

    /// Packs bound weights into a matrix of their layout.
    func pack(_ layer: LinearWeights, into matrix: PackedMatrix) throws(TensorError) {
        guard let quantized = layer.quantized else { return try pack(layer.weight, into: matrix) }
        try pack(
            quantized.denseCodes(width: matrix.layout.sourceWidth),
            scales: quantized.denseScales(matrix.layout.scaleDType, engine), into: matrix)
    }
}

extension PackedLayout {
    /// The layout that bound weights take; nil when they are packed already or there is none for them.
    init?(_ layer: LinearWeights, isGated: Bool) {
        guard layer.packed == nil, layer.outputs > 0, layer.inputs > 0 else { return nil }
        if let quantized = layer.quantized {
            let format = PackedFormat(quantized.format)
            let group = quantized.groupCount == 1 && format.groups.contains(0) ? 0 : quantized.groupSize
            guard format.groups.contains(group) else { return nil }
            // bfloat16 stays as it is, half the bytes of float32; float16 has more bits.
            let narrow = group > 0 && quantized.scales.dtype == .bfloat16
            self.init(
                format: format, outputs: layer.outputs, inputs: layer.inputs, group: group,
                scaleDType: narrow ? .bfloat16 : .float32, isGated: isGated)
        } else {
            guard let format = PackedFormat(layer.weight.dtype) else { return nil }
            self.init(format: format, outputs: layer.outputs, inputs: layer.inputs, isGated: isGated)
        }
    }
}

extension PackedFormat {
    fileprivate init?(_ dtype: DType) {
        switch dtype {
        case .float32: self = .float32
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int32, .uint8, .int8, .float8E4M3: return nil
        }
    }

    fileprivate init(_ format: QuantizedFormat) {
        self =
            switch format {
            case .int8: .int8
            case .float8: .fp8
            case .int4: .int4
            }
    }
}

extension QuantizedMatrix {
    /// The codes as bytes, `[outputs, width]`, without what rows are filled up with.
    fileprivate func denseCodes(width: Int) throws(TensorError) -> Tensor {
        let rowBytes = codes.shape.rowElementCount
        guard rowBytes != width else {
            return Tensor(codes.storage, byteOffset: codes.byteOffset, shape: [outputs, width], dtype: .uint8)
        }
        let storage = try Storage(allocating: outputs * width, label: "codes without filling")
        for row in 0..<outputs {
            (storage.base + row * width).copyMemory(from: codes.address + row * rowBytes, byteCount: width)
        }
        return Tensor(storage, shape: [outputs, width], dtype: .uint8)
    }

    /// A scale for each row and group, `[outputs, groups]`, of another type.
    fileprivate func denseScales(_ dtype: DType, _ engine: OpaquePointer) throws(TensorError) -> Tensor {
        guard dtype != scales.dtype || scaleStride == 0 else { return scales.reshaped([outputs, groupCount]) }
        let size = dtype.byteCount
        let storage = try Storage(allocating: outputs * groupCount * size, label: "scales")
        let dense = Tensor(storage, shape: [outputs, groupCount], dtype: dtype)
        cc_copy(engine, scales.address, scales.dtype.code, dense.address, dtype.code, scales.shape.elementCount)
        if scaleStride == 0 {
            for row in 1..<outputs { (storage.base + row * size).copyMemory(from: storage.base, byteCount: size) }
        }
        return dense
    }
}
