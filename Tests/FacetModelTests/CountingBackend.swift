import FacetTensor

/// Passes every call on and adds up what is allocated.
final class CountingBackend: Backend {
    private let base: CPUBackend
    private var byteCount = 0
    private(set) var allocationCount = 0

    init(_ base: CPUBackend) { self.base = base }

    /// Bytes allocated since the last call.
    func takeCount() -> Int {
        defer { byteCount = 0 }
        return byteCount
    }

    var device: DeviceID { base.device }

    func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        byteCount += shape.elementCount * dtype.byteCount
        allocationCount += 1
        return try base.allocate(shape, dtype, label: label)
    }

    func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try base.upload(bytes, into: tensor)
    }

    func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try base.download(tensor, into: bytes)
    }

    func synchronize() throws(TensorError) { try base.synchronize() }

    func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(weight: weight, bias: bias)
    }

    func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(quantized: matrix, bias: bias)
    }

    func bind(parameter: Tensor) throws(TensorError) -> Tensor { try base.bind(parameter: parameter) }

    func linear(_ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor) throws(TensorError) {
        try base.linear(x, layer, epilogue: epilogue, into: y)
    }

    func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError) {
        try base.rmsNorm(x, norm, into: y)
    }

    func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError) {
        try base.layerNorm(x, norm, epilogue: epilogue, into: y)
    }

    func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError) { try base.gatedSiLU(gateUp, into: y) }

    func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError) {
        try base.gatedSiLU(gate: gate, up: up, into: y)
    }

    func add(_ x: Tensor, to y: Tensor) throws(TensorError) { try base.add(x, to: y) }

    func scale(_ x: Tensor, by factor: Float) throws(TensorError) { try base.scale(x, by: factor) }

    func copy(_ x: Tensor, into y: Tensor) throws(TensorError) { try base.copy(x, into: y) }

    func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        try base.gatherRows(table, indices, into: y)
    }

    func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        try base.patchify(pixels, patch: patch, into: y)
    }

    func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        try base.gatherNeighborhoods(grid, side: side, into: y)
    }

    func bidirectionalAttention(
        _ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor
    ) throws(TensorError) {
        try base.bidirectionalAttention(qkv, sequenceLength: sequenceLength, heads: heads, into: y)
    }

    func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError) {
        try base.rotateAndAppend(
            qkv, shape: shape, rotary: rotary, positions: positions, slots: slots, cache: cache, into: q)
    }

    func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError) {
        try base.pagedAttention(q, shape: shape, cache: cache, layout: layout, into: y)
    }

    func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool { try base.containsNonFinite(x) }
}
