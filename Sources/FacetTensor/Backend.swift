/// What one device must be able to do, and nothing else: the whole arithmetic of the model.
///
/// - Every call **enqueues** work on the device's in-order queue and returns; operands must stay alive
///   until the queue passes them (tensors are handles that keep their storage alive). Only
///   `download` and `synchronize` wait. A CPU device with one queue may run the work in place.
/// - Every operation writes **into** a given tensor and never allocates device memory.
///   Unless stated otherwise an output must not overlap an input.
/// - Tensors are row-major; the first dimension counts rows (tokens, patches).
/// - *Activation dtype* is `float32` or `bfloat16`, on some devices also `float16`; within one call all activations have the same one,
///   except where a parameter says otherwise. Weights and parameters (norm weights, biases, tables)
///   may be `float32`, `bfloat16` or `float16` whatever the activations are. Products, statistics
///   and softmax are accumulated in float32; a bfloat16 result is rounded once, when it is stored.
/// - A row's result does not depend on how many threads work on it, nor on which other rows stand in
///   the same call (see `linear` for the one exception).
///
/// The model calls the *coarsest* form; the extension below composes each coarse form of the
/// primitives, and a backend overrides what it can fuse. So a fused kernel is tested against its
/// composition.
///
/// A backend is confined to one thread (the engine's) and is not `Sendable`.
public protocol Backend: AnyObject {
    /// The device this backend drives.
    var device: DeviceID { get }

    /// Types that activations may have.
    var activationDTypes: [DType] { get }

    // MARK: Memory

    /// Takes zeroed memory for a tensor from the device.
    ///
    /// Called while loading and planning only, never on the request path.
    /// - Throws: `.outOfMemory` with `label`.
    func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor

    /// Copies host bytes into the start of a tensor on this device.
    ///
    /// The bytes may be reused as soon as the call returns.
    /// - Throws: `.shapeMismatch` when there are more bytes than the tensor holds.
    func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError)

    /// Waits for the queue and copies a tensor's bytes to the host.
    ///
    /// - Throws: `.shapeMismatch` unless `bytes` has exactly the tensor's byte count.
    func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError)

    /// Enqueues a copy of a tensor's bytes to the host.
    ///
    /// `bytes` must stay valid, and is not read, until an event recorded afterwards has passed.
    /// - Throws: `.shapeMismatch` unless `bytes` has exactly the tensor's byte count.
    func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError)

    /// Enqueues a copy to the host of the largest numbers of each segment of each row, where the device picks them: all
    /// that a sampler needs of logits when only the best can be chosen.
    ///
    /// - Parameters:
    ///   - rows: `[rows, width]`, float32, as `picks` says.
    ///   - bytes: `picks.byteCount` of them; as with `enqueueDownload`.
    /// - Returns: whether the device does it; otherwise nothing was enqueued, and whole rows are to be copied.
    func enqueueDownload(
        _ picks: LargestNumbers, of rows: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) -> Bool

    /// Waits until everything enqueued so far has run.
    ///
    /// An operation that fails in the queue makes the rest of the queue pass without effect. The error is thrown here
    /// (or by `download`), once; the device then works again.
    func synchronize() throws(TensorError)

    /// What the device has given away; nil where nobody counts.
    var memoryUse: MemoryUse? { get }

    // MARK: Order among devices

    /// Marks the present end of the queue.
    func record() throws(TensorError) -> any DeviceEvent

    /// Lets what is enqueued from now on wait for an event of another device.
    ///
    /// After an error in the other queue, this one passes without effect too: what it waits for is not there.
    func wait(for event: any DeviceEvent) throws(TensorError)

    /// Makes a queue that copies host bytes to this device while it computes.
    func makeCopyQueue() throws(TensorError) -> any CopyQueue

    /// Takes host memory from which this device's copy queues copy without the host's help.
    ///
    /// Called while loading only.
    /// - Returns: writable memory; nil where copies are no better from such memory than from any other.
    /// - Throws: `.pinningRefused` with `label`, `.deviceFailed`.
    func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage?

    /// Makes what enqueues this backend's operations again and again.
    func makeReplayer() -> any Replayer

    // MARK: Weights

    /// Whether the bytes of a weight have been read when `bind` returns, so that their file's pages may go.
    var readsWeightsWhileBinding: Bool { get }

    /// Makes random weights or a parameter in this device's own memory, for `bind` on this device; nil where it is left
    /// to the host.
    ///
    /// - Throws: `.outOfMemory` with `label`.
    func generate(_ noise: NoiseTensor, label: String) throws(TensorError) -> Tensor?

    /// Makes a weight matrix usable by `linear` on this device.
    ///
    /// What `generate` made becomes part of the bound weights as it is, here and below. Another source may be mapped from a
    /// file; a backend keeps it as it is, copies it or lays it out anew.
    /// - Parameters:
    ///   - weight: `[outputs, inputs]` in host memory or from `generate`, floating point.
    ///   - bias: `[outputs]` or nil.
    func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights

    /// Makes a quantized weight matrix usable by `linear` on this device.
    ///
    /// - Parameters:
    ///   - matrix: codes and scales in host memory, or codes from `generate`; a backend keeps them as they are, copies
    ///     them or lays them out anew.
    ///   - bias: `[outputs]` or nil.
    func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights

    /// Lays bound weights out anew for the device's products, in memory of their own; the bound ones may then go.
    ///
    /// Products with them may sum in another order, and quantize the rows of bfloat16 operands of int8 and int4 weights.
    /// - Parameter isGated: whether the first half of the outputs is a gate of the second; what is packed so is for
    ///   `feedForwardInput` alone.
    /// - Throws: `.outOfMemory`.
    func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights

    /// Makes a parameter (norm weight, bias, embedding table) usable on this device, keeping its shape and dtype.
    func bind(parameter: Tensor) throws(TensorError) -> Tensor

    // MARK: Products

    /// Writes `x · weightᵀ + bias`, passed through `epilogue`, into `y`.
    ///
    /// - Parameters:
    ///   - x: `[rows, inputs]`, activation dtype.
    ///   - layer: what `bind(weight:bias:)` or `bind(quantized:bias:)` returned. Elements of a quantized matrix may be
    ///     rounded to the type of `x` before they are multiplied.
    ///   - epilogue: what happens to the float32 sum before it is stored.
    ///   - y: `[rows, outputs]`, activation dtype, or `float32` whatever `x` is (logits).
    ///     With `.addResidual` it is read and written: `y += x · weightᵀ + bias`.
    /// - Complexity: 2 · rows · inputs · outputs FLOP; reads the weight once per block of rows.
    ///
    /// Few rows may take another path than many (single-row products are bound by memory), which
    /// sums in another order: results of the two paths agree within rounding.
    func linear(_ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor) throws(TensorError)

    // MARK: Normalization and elementwise

    /// Writes `weight · (x / sqrt(mean(x²) + epsilon))`, rounded once, into `y`; statistics per row in float32.
    ///
    /// - Parameters:
    ///   - x: `[rows, width]`; `y` may be the same tensor.
    func rmsNorm(_ x: Tensor, _ norm: RMSNormWeights, into y: Tensor) throws(TensorError)

    /// Writes LayerNorm of `x` (population variance), passed through `epilogue`, into `y`.
    ///
    /// - Parameters:
    ///   - x: `[rows, width]`; `y` may be the same tensor unless `epilogue` is `.addResidual`.
    ///   - y: `[rows, width]`; with `.addResidual`: `y += LayerNorm(x)`.
    func layerNorm(
        _ x: Tensor, _ norm: LayerNormWeights, epilogue: NormEpilogue, into y: Tensor
    ) throws(TensorError)

    /// Writes `silu(gateᵢ) · upᵢ` into `y`, where a row of `gateUp` holds all gates, then all ups.
    ///
    /// - Parameters:
    ///   - gateUp: `[rows, 2 · width]`.
    ///   - y: `[rows, width]`.
    func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError)

    /// Writes `silu(gate) · up` into `y`; all three `[rows, width]`; `y` may be `gate` or `up`.
    func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError)

    /// Adds `x` to `y`, element by element; same shape.
    ///
    /// A float32 or 16-bit parameter may be added to activations of another dtype (position embeddings).
    func add(_ x: Tensor, to y: Tensor) throws(TensorError)

    /// Multiplies `x` by a number in place.
    func scale(_ x: Tensor, by factor: Float) throws(TensorError)

    /// Copies the elements of `x` into `y`, converting the dtype when it differs; same element count.
    ///
    /// `x` may live on another device: this is the hop of a plan.
    func copy(_ x: Tensor, into y: Tensor) throws(TensorError)

    // MARK: Rows

    /// Copies rows `table[index]` into the rows of `y`, converting dtype; a negative index leaves its row untouched.
    ///
    /// - Parameters:
    ///   - table: `[tableRows, width]`, weights' or activation dtype.
    ///   - indices: `[rows]`, int32. The caller guarantees `index < tableRows`.
    ///   - y: `[rows, width]`, activation dtype.
    func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError)

    // MARK: Pictures

    /// Cuts pictures into flattened patches, converting to the activation dtype.
    ///
    /// - Parameters:
    ///   - pixels: `[images, channels, side, side]`, float32.
    ///   - patch: side of a patch; divides `side`.
    ///   - y: `[images · (side / patch)², channels · patch · patch]`; patches in row-major order, each
    ///     flattened as (channel, row, column).
    func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError)

    /// Gathers the 2 × 2 neighborhoods of a square grid so that a stride-2 convolution becomes a product.
    ///
    /// - Parameters:
    ///   - grid: `[side · side, channels]`, row-major cells; `side` is even.
    ///   - y: `[(side / 2)², channels · 4]`, each row ordered (channel, kernel row, kernel column).
    func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError)

    // MARK: Attention

    /// Bidirectional attention within each sequence, straight from a fused projection.
    ///
    /// Never materializes a score matrix; softmax in float32; scale `1 / sqrt(headDimension)`.
    /// - Parameters:
    ///   - qkv: `[rows, 3 · heads · headDimension]`: all queries, then all keys, then all values; heads in order.
    ///   - sequenceLength: rows per sequence; divides the row count.
    ///   - heads: number of heads.
    ///   - y: `[rows, heads · headDimension]`.
    func bidirectionalAttention(_ qkv: Tensor, sequenceLength: Int, heads: Int, into y: Tensor) throws(TensorError)

    /// Rotates queries and keys, writes keys and values to their cache slots and the queries to `q`.
    ///
    /// The first `rotary.rotatedDimension` elements of a head are rotated in interleaved pairs:
    /// `(a, b) → (a cos − b sin, b cos + a sin)`; the rest passes through. Computed in float32.
    /// - Parameters:
    ///   - qkv: `[rows, (heads + 2 · groups) · headDimension]`: queries, keys, values.
    ///   - positions: `[rows]`, int32, each less than the rotary table's row count.
    ///   - slots: `[rows]`, int32: where each row's key and value go (`page · pageSize + offset`).
    ///   - cache: the layer's pages; written.
    ///   - q: `[rows, heads · headDimension]`.
    func rotateAndAppend(
        _ qkv: Tensor, shape: AttentionShape, rotary: RotaryTable, positions: Tensor, slots: Tensor,
        cache: KVLayerCache, into q: Tensor
    ) throws(TensorError)

    /// Causal attention of packed sequences over their pages.
    ///
    /// The query rows of a sequence are its **last** tokens: row `i` of `n` new rows of a sequence with context
    /// `c` (new rows included) sees keys `0 ... c − n + i`. Query head `h` reads group `h / (heads / groups)`.
    /// - Parameters:
    ///   - q: `[rows, heads · headDimension]`, rotated.
    ///   - cache: the layer's pages; the new rows' keys and values are already there.
    ///   - layout: which rows and pages belong to which sequence.
    ///   - y: `[rows, heads · headDimension]`.
    func pagedAttention(
        _ q: Tensor, shape: AttentionShape, cache: KVLayerCache, layout: SequenceLayout, into y: Tensor
    ) throws(TensorError)

    // MARK: Checks

    /// Whether any element of a floating-point tensor is NaN or infinite. Waits for the queue.
    func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool

    // MARK: Coarse forms (composed in an extension; override to fuse)

    /// Norm, fused projection with bias, rotary embedding and cache append of one decoder layer.
    ///
    /// - Parameters:
    ///   - x: `[rows, hidden]`, the residual stream; not changed.
    ///   - normalized: scratch `[rows, hidden]`.
    ///   - qkv: scratch `[rows, (heads + 2 · groups) · headDimension]`.
    ///   - q: result `[rows, heads · headDimension]`.
    func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError)

    /// Norm, fused gate-and-up projection and gated SiLU of one decoder layer.
    ///
    /// - Parameters:
    ///   - x: `[rows, hidden]`, the residual stream; not changed.
    ///   - normalized: scratch `[rows, hidden]`.
    ///   - projection: `[2 · intermediate, hidden]`, the gate's outputs first; bound, or packed as gated.
    ///   - gateUp: scratch `[rows, 2 · intermediate]`.
    ///   - y: result `[rows, intermediate]`.
    func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError)
}

extension Backend {
    /// What every backend computes in.
    public var activationDTypes: [DType] { [.float32, .bfloat16] }

    /// Copies at once.
    public func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try download(tensor, into: bytes)
    }

    /// The weights as they are bound are laid out well enough.
    public func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights { layer }

    /// Weights are read later, or used from where they are.
    public var readsWeightsWhileBinding: Bool { false }

    /// The host makes them.
    public func generate(_ noise: NoiseTensor, label: String) throws(TensorError) -> Tensor? { nil }

    /// Nobody counts.
    public var memoryUse: MemoryUse? { nil }

    /// Waits for the queue, so that the event has passed already.
    public func record() throws(TensorError) -> any DeviceEvent {
        try synchronize()
        return PassedEvent()
    }

    /// Waits on the calling thread.
    public func wait(for event: any DeviceEvent) throws(TensorError) { try event.synchronize() }

    /// Makes a queue that copies in place.
    public func makeCopyQueue() throws(TensorError) -> any CopyQueue { InPlaceCopyQueue(self) }

    /// Copies are as good from any memory.
    public func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage? { nil }

    /// Operations are enqueued one by one.
    public func makeReplayer() -> any Replayer { PlainReplayer() }
}

extension Backend {
    /// Composes `attentionInput` of norm, product and `rotateAndAppend`.
    public func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError) {
        try rmsNorm(x, norm, into: normalized)
        try linear(normalized, projection, epilogue: .store, into: qkv)
        try rotateAndAppend(
            qkv, shape: shape, rotary: rotary, positions: positions, slots: slots, cache: cache, into: q)
    }

    /// Composes `feedForwardInput` of norm, product and gated SiLU.
    public func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        try rmsNorm(x, norm, into: normalized)
        try linear(normalized, projection, epilogue: .store, into: gateUp)
        try gatedSiLU(gateUp, into: y)
    }
}
