/// The operations: checked for their device, enqueued, and carried out by the kernels of `CPUBackend`.
extension CPUDevice {
    public func linear(
        _ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor
    ) throws(TensorError) {
        let scales = layer.quantized?.scales ?? layer.weight
        try enqueue("linear", x, layer.weight, scales, layer.bias ?? layer.weight, y) { (backend) throws(TensorError) in
            try backend.linear(x, layer, epilogue: epilogue, into: y)
        }
    }

    public func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError) {
        try enqueue("rmsNorm", x, norm.weight, y) { (backend) throws(TensorError) in
            try backend.rmsNorm(x, norm, into: y)
        }
    }

    public func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError) {
        try enqueue("layerNorm", x, norm.weight, norm.bias, y) { (backend) throws(TensorError) in
            try backend.layerNorm(x, norm, epilogue: epilogue, into: y)
        }
    }

    public func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError) {
        try enqueue("gatedSiLU", gateUp, y) { (backend) throws(TensorError) in
            try backend.gatedSiLU(gateUp, into: y)
        }
    }

    public func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError) {
        try enqueue("gatedSiLU", gate, up, y) { (backend) throws(TensorError) in
            try backend.gatedSiLU(gate: gate, up: up, into: y)
        }
    }

    public func add(_ x: Tensor, to y: Tensor) throws(TensorError) {
        try enqueue("add", x, y) { (backend) throws(TensorError) in try backend.add(x, to: y) }
    }

    public func scale(_ x: Tensor, by factor: Float) throws(TensorError) {
        try enqueue("scale", x) { (backend) throws(TensorError) in try backend.scale(x, by: factor) }
    }

    /// As the protocol says; the caller orders this queue after the one that wrote `x`.
    public func copy(_ x: Tensor, into y: Tensor) throws(TensorError) {
        try enqueue("copy", y) { (backend) throws(TensorError) in try backend.copy(x, into: y) }
    }

    public func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        try enqueue("gatherRows", table, indices, y) { (backend) throws(TensorError) in
            try backend.gatherRows(table, indices, into: y)
        }
    }

    public func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        try enqueue("patchify", pixels, y) { (backend) throws(TensorError) in
            try backend.patchify(pixels, patch: patch, into: y)
        }
    }

    public func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        try enqueue("gatherNeighborhoods", grid, y) { (backend) throws(TensorError) in
            try backend.gatherNeighborhoods(grid, side: side, into: y)
        }
    }

    public func bidirectionalAttention(
        _ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor
    ) throws(TensorError) {
        try enqueue("bidirectionalAttention", qkv, y) { (backend) throws(TensorError) in
            try backend.bidirectionalAttention(qkv, sequenceLength: sequenceLength, heads: heads, into: y)
        }
    }

    public func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError) {
        try enqueue(
            "rotateAndAppend", qkv, rotary.cosines, rotary.sines, positions, slots, cache.keys, cache.values, q
        ) { (backend) throws(TensorError) in
            try backend.rotateAndAppend(
                qkv, shape: shape, rotary: rotary, positions: positions, slots: slots, cache: cache, into: q)
        }
    }

    public func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError) {
        try enqueue("pagedAttention", q, cache.keys, cache.values, layout.devicePageTable, y) {
            (backend) throws(TensorError) in
            try backend.pagedAttention(q, shape: shape, cache: cache, layout: layout, into: y)
        }
    }

    public func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        let weight = projection.weight
        try enqueue(
            "feedForwardInput", x, norm.weight, weight, projection.quantized?.scales ?? weight,
            projection.bias ?? weight, normalized, gateUp, y
        ) { (backend) throws(TensorError) in
            try backend.feedForwardInput(
                x, norm: norm, projection: projection, normalized: normalized, gateUp: gateUp, into: y)
        }
    }

    public func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool {
        let answer = NonFiniteAnswer()
        try enqueue("containsNonFinite", x) { (backend) throws(TensorError) in
            answer.isNonFinite = try backend.containsNonFinite(x)
        }
        try synchronize()
        return answer.isNonFinite
    }
}

/// Brings an answer back from the queue's thread.
///
/// `@unchecked`: read after the queue has passed.
private final class NonFiniteAnswer: @unchecked Sendable {
    var isNonFinite = false
}
