public import FacetTensor

/// Passes every call on to another backend; a test overrides what it wants to see or to change.
///
/// The members that `Backend` gives a default are passed on like the others: the default would describe another device
/// than the one behind. So a coarse form runs as the device has it, and calls none of the primitives of this class.
open class ForwardingBackend: Backend {
    /// Who carries everything out.
    public let base: any Backend

    /// Passes everything on to `base`.
    public init(_ base: any Backend) { self.base = base }

    open var device: DeviceID { base.device }
    open var activationDTypes: [DType] { base.activationDTypes }

    // MARK: Memory

    open var memoryUse: MemoryUse? { base.memoryUse }

    open func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        try base.allocate(shape, dtype, label: label)
    }

    open func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage? {
        try base.allocatePinned(byteCount, label: label)
    }

    open func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try base.upload(bytes, into: tensor)
    }

    open func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try base.download(tensor, into: bytes)
    }

    open func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try base.enqueueDownload(tensor, into: bytes)
    }

    open func enqueueDownload(
        _ picks: LargestNumbers, of rows: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) -> Bool {
        try base.enqueueDownload(picks, of: rows, into: bytes)
    }

    // MARK: Order

    open func synchronize() throws(TensorError) { try base.synchronize() }
    open func record() throws(TensorError) -> any DeviceEvent { try base.record() }
    open func wait(for event: any DeviceEvent) throws(TensorError) { try base.wait(for: event) }
    open func makeCopyQueue() throws(TensorError) -> any CopyQueue { try base.makeCopyQueue() }
    open func makeReplayer() -> any Replayer { base.makeReplayer() }

    // MARK: Weights

    open var readsWeightsWhileBinding: Bool { base.readsWeightsWhileBinding }

    open func generate(_ noise: NoiseTensor, label: String) throws(TensorError) -> Tensor? {
        try base.generate(noise, label: label)
    }

    open func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(weight: weight, bias: bias)
    }

    open func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(quantized: matrix, bias: bias)
    }

    open func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights {
        try base.packed(layer, isGated: isGated)
    }

    open func bind(parameter: Tensor) throws(TensorError) -> Tensor { try base.bind(parameter: parameter) }

    // MARK: Arithmetic

    open func linear(_ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor) throws(TensorError)
    {
        try base.linear(x, layer, epilogue: epilogue, into: y)
    }

    open func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError) {
        try base.rmsNorm(x, norm, into: y)
    }

    open func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError) {
        try base.layerNorm(x, norm, epilogue: epilogue, into: y)
    }

    open func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError) { try base.gatedSiLU(gateUp, into: y) }

    open func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError) {
        try base.gatedSiLU(gate: gate, up: up, into: y)
    }

    open func add(_ x: Tensor, to y: Tensor) throws(TensorError) { try base.add(x, to: y) }
    open func scale(_ x: Tensor, by factor: Float) throws(TensorError) { try base.scale(x, by: factor) }
    open func copy(_ x: Tensor, into y: Tensor) throws(TensorError) { try base.copy(x, into: y) }

    open func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        try base.gatherRows(table, indices, into: y)
    }

    open func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        try base.patchify(pixels, patch: patch, into: y)
    }

    open func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        try base.gatherNeighborhoods(grid, side: side, into: y)
    }

    open func bidirectionalAttention(
        _ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor
    ) throws(TensorError) {
        try base.bidirectionalAttention(qkv, sequenceLength: sequenceLength, heads: heads, into: y)
    }

    open func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError) {
        try base.rotateAndAppend(
            qkv, shape: shape, rotary: rotary, positions: positions, slots: slots, cache: cache, into: q)
    }

    open func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError) {
        try base.pagedAttention(q, shape: shape, cache: cache, layout: layout, into: y)
    }

    open func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool { try base.containsNonFinite(x) }

    open func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError) {
        try base.attentionInput(
            x, norm: norm, projection: projection, shape: shape, rotary: rotary, positions: positions, slots: slots,
            cache: cache, normalized: normalized, qkv: qkv, into: q)
    }

    open func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        try base.feedForwardInput(
            x, norm: norm, projection: projection, normalized: normalized, gateUp: gateUp, into: y)
    }
}
