import FacetTensor
import Synchronization

/// Makes a device fail once, in its queue, after a number of products.
final class FailureSwitch: Sendable {
    private let productsLeft = Atomic<Int>(-1)

    func arm(afterProducts count: Int) { productsLeft.store(count, ordering: .relaxed) }

    /// Whether the device fails now.
    func fires() -> Bool { productsLeft.subtract(1, ordering: .relaxed).newValue == 0 }
}

/// A logical device that breaks down when a switch says so.
final class FailingDevice: Backend {
    private let base: CPUDevice
    private let failing: FailureSwitch

    init(index: Int, _ failing: FailureSwitch) throws {
        base = try CPUDevice(index: index, budgetByteCount: 64 << 20)
        self.failing = failing
    }

    var device: DeviceID { base.device }
    var memoryUse: MemoryUse? { base.memoryUse }

    func linear(_ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor) throws(TensorError) {
        if failing.fires() { base.raise(.deviceFailed(device: device, reason: "test")) }
        try base.linear(x, layer, epilogue: epilogue, into: y)
    }

    func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        try base.allocate(shape, dtype, label: label)
    }

    func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try base.upload(bytes, into: tensor)
    }

    func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try base.download(tensor, into: bytes)
    }

    func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try base.enqueueDownload(tensor, into: bytes)
    }

    func synchronize() throws(TensorError) { try base.synchronize() }
    func record() throws(TensorError) -> any DeviceEvent { try base.record() }
    func wait(for event: any DeviceEvent) throws(TensorError) { try base.wait(for: event) }
    func makeCopyQueue() throws(TensorError) -> any CopyQueue { try base.makeCopyQueue() }

    func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(weight: weight, bias: bias)
    }

    func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        try base.bind(quantized: matrix, bias: bias)
    }

    func bind(parameter: Tensor) throws(TensorError) -> Tensor { try base.bind(parameter: parameter) }

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
