public import FacetTensor

extension CUDABackend {
    /// One kernel for up to four rows, where the cache is not quantized; composed otherwise.
    public func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError) {
        let operation = "attentionInput"
        let kernels = try kernels(of: x, "x", in: operation)
        guard !cache.isQuantized, let fused = fused(kernels.attentionInput, x, projection) else {
            try rmsNorm(x, norm, into: normalized)
            try linear(normalized, projection, epilogue: .store, into: qkv)
            return try rotateAndAppend(
                qkv, shape: shape, rotary: rotary, positions: positions, slots: slots, cache: cache, into: q)
        }
        try requireFused(x, norm, projection, outputs: shape.projectionWidth, in: operation)
        try requireResult(q, x.dtype, "q", in: operation)
        try require(q, rows: x.rowCount, width: shape.queryWidth, "q", in: operation)
        try requireCache(cache, shape, x.dtype, in: operation)
        let pairs = try requireRotary(rotary, shape, in: operation)
        try requireIndices(positions, count: x.rowCount, "positions", in: operation)
        try requireIndices(slots, count: x.rowCount, "slots", in: operation)
        let weight = WeightArguments(projection)
        try launch(
            fused.kernel, grid: try fusedGrid(fused, sets: blocks(projection.outputs, 4)), threads: 128,
            sharedByteCount: fused.sharedByteCount, x.deviceAddress, Int32(x.rowCount), Int32(projection.inputs),
            norm.weight.deviceAddress, norm.weight.dtype.kernelCode, norm.epsilon, weight.codes, weight.rowByteCount,
            weight.scales, weight.scaleType, weight.scaleStride, weight.group,
            projection.bias?.deviceAddress ?? .null, projection.bias?.dtype.kernelCode ?? 0, Int32(shape.heads),
            Int32(shape.groups), Int32(shape.headDimension), rotary.cosines.deviceAddress,
            rotary.sines.deviceAddress, Int32(pairs), positions.deviceAddress, slots.deviceAddress,
            cache.keys.deviceAddress, cache.values.deviceAddress, q.deviceAddress)
    }

    /// One kernel for up to four rows; composed otherwise.
    public func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        let operation = "feedForwardInput"
        let kernels = try kernels(of: x, "x", in: operation)
        guard let fused = fused(kernels.feedForwardInput, x, projection) else {
            try rmsNorm(x, norm, into: normalized)
            try linear(normalized, projection, epilogue: .store, into: gateUp)
            return try gatedSiLU(gateUp, into: y)
        }
        let inner = projection.outputs / 2
        try requireFused(x, norm, projection, outputs: 2 * inner, in: operation)
        try requireResult(y, x.dtype, "y", in: operation)
        try require(y, rows: x.rowCount, width: inner, "y", in: operation)
        let weight = WeightArguments(projection)
        try launch(
            fused.kernel, grid: try fusedGrid(fused, sets: blocks(inner, 2)), threads: 128,
            sharedByteCount: fused.sharedByteCount, x.deviceAddress, Int32(x.rowCount), Int32(projection.inputs),
            norm.weight.deviceAddress, norm.weight.dtype.kernelCode, norm.epsilon, weight.codes, weight.rowByteCount,
            weight.scales, weight.scaleType, weight.scaleStride, weight.group,
            projection.bias?.deviceAddress ?? .null, projection.bias?.dtype.kernelCode ?? 0, Int32(inner),
            y.deviceAddress)
    }

    /// A fused kernel for these operands; nil where there is none, or not enough shared memory for the rows.
    private func fused(
        _ kernels: [WeightKind: RowKernels], _ x: Tensor, _ projection: LinearWeights
    ) -> FusedKernel? {
        guard x.rowCount > 0, x.isVectorAligned,
            let (size, kernel) = kernels[WeightKind(projection)]?.fitting(x.rowCount)
        else { return nil }
        let sharedByteCount = size * projection.inputs * x.dtype.byteCount
        guard sharedByteCount + kernel.staticSharedByteCount <= info.sharedMemoryLimit else { return nil }
        return FusedKernel(kernel: kernel, sharedByteCount: sharedByteCount)
    }

    private func requireFused(
        _ x: Tensor, _ norm: RMSNormWeights, _ projection: LinearWeights, outputs: Int, in operation: String
    ) throws(TensorError) {
        try require(x, rows: x.rowCount, width: projection.inputs, "x", in: operation)
        try requireParameter(norm.weight, count: projection.inputs, "norm", in: operation)
        try requireHere(projection.weight, "projection", in: operation)
        try require(
            projection.outputs == outputs, projection.weight, "projection", "[\(outputs), \(projection.inputs)]",
            in: operation)
    }

    /// As many blocks as the card runs at once, but no more than there are sets of columns.
    private func fusedGrid(_ fused: FusedKernel, sets: Int) throws(TensorError) -> Dimensions {
        let key = ResidentBlocks(kernel: ObjectIdentifier(fused.kernel), sharedByteCount: fused.sharedByteCount)
        let resident: Int
        if let known = residentBlocks[key] {
            resident = known
        } else {
            resident = try tensors.run { () throws(CUDAError) in
                try fused.kernel.allowShared(byteCount: fused.sharedByteCount)
                return try fused.kernel.residentBlockCount(threads: 128, sharedByteCount: fused.sharedByteCount)
            }
            residentBlocks[key] = resident
        }
        return Dimensions(min(sets, max(1, resident * info.multiprocessorCount)))
    }
}

/// A fused kernel and the shared memory in which it keeps its rows.
private struct FusedKernel {
    let kernel: CUDAKernel
    let sharedByteCount: Int
}
