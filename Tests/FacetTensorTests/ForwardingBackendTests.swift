import FacetTensor
import FacetTestSupport
import Testing

/// Answers each member that `Backend` gives a default otherwise than the default would.
private final class UnlikeDefaults: ForwardingBackend {
    private(set) var calls: [String] = []

    override var activationDTypes: [DType] { [.float16] }
    override var readsWeightsWhileBinding: Bool { true }
    override var memoryUse: MemoryUse? {
        MemoryUse(usedByteCount: 1, peakByteCount: 2, budgetByteCount: 3, countsWeights: true)
    }

    override func enqueueDownload(
        _ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) {
        calls.append("enqueueDownload")
    }

    override func enqueueDownload(
        _ picks: LargestNumbers, of rows: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) -> Bool { true }

    override func record() throws(TensorError) -> any DeviceEvent {
        calls.append("record")
        return try super.record()
    }

    override func wait(for event: any DeviceEvent) throws(TensorError) { calls.append("wait") }

    override func makeCopyQueue() throws(TensorError) -> any CopyQueue {
        calls.append("makeCopyQueue")
        return try super.makeCopyQueue()
    }

    override func makeReplayer() -> any Replayer {
        calls.append("makeReplayer")
        return super.makeReplayer()
    }

    override func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage? {
        try Storage(allocating: byteCount, label: label)
    }

    override func generate(_ noise: NoiseTensor, label: String) throws(TensorError) -> Tensor? {
        try super.allocate(noise.shape, noise.dtype, label: label)
    }

    override func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights {
        throw .deviceFailed(device: device, reason: "packed \(isGated)")
    }

    override func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError) {
        calls.append("attentionInput")
    }

    override func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        calls.append("feedForwardInput")
    }
}

@Suite("A backend that passes on")
struct ForwardingBackendTests {
    @Test("what has a default in the protocol is passed on too: a test sees the device behind, not the default")
    func defaults() throws {
        let unlike = UnlikeDefaults(try CPUBackend(threadCount: 1))
        let backend: any Backend = ForwardingBackend(unlike)
        #expect(backend.activationDTypes == [.float16] && backend.readsWeightsWhileBinding)
        #expect(backend.memoryUse?.budgetByteCount == 3)
        #expect(try backend.allocatePinned(8, label: "pinned")?.byteCount == 8)
        let noise = NoiseTensor([2, 2], numbers: .float32, center: 0, width: 1, seed: 1, offset: 0)
        let x = try #require(try backend.generate(noise, label: "noise"))
        var bytes = [UInt8](repeating: 0, count: 16)
        try bytes.withUnsafeMutableBytes { buffer in
            try backend.enqueueDownload(x, into: buffer)
            let picks = LargestNumbers(rowCount: 2, width: 2, count: 1)
            #expect(try backend.enqueueDownload(picks, of: x, into: buffer))
        }
        try backend.wait(for: backend.record())
        _ = try backend.makeCopyQueue()
        _ = backend.makeReplayer()
        let layer = try backend.bind(weight: x, bias: nil)
        #expect(throws: TensorError.deviceFailed(device: .cpu, reason: "packed true")) {
            try backend.packed(layer, isGated: true)
        }
        let norm = RMSNormWeights(weight: x, epsilon: 1)
        try backend.attentionInput(
            x, norm: norm, projection: layer, shape: AttentionShape(heads: 1, groups: 1, headDimension: 2),
            rotary: RotaryTable(cosines: x, sines: x, rotatedDimension: 2), positions: x, slots: x,
            cache: KVLayerCache(keys: x, values: x), normalized: x, qkv: x, into: x)
        try backend.feedForwardInput(x, norm: norm, projection: layer, normalized: x, gateUp: x, into: x)
        #expect(
            unlike.calls == [
                "enqueueDownload", "record", "wait", "makeCopyQueue", "makeReplayer", "attentionInput",
                "feedForwardInput",
            ])
    }
}
