import FacetTensor
import FacetTestSupport
import Synchronization

/// Makes a device fail once, in its queue, after a number of products.
final class FailureSwitch: Sendable {
    private let productsLeft = Atomic<Int>(-1)

    func arm(afterProducts count: Int) { productsLeft.store(count, ordering: .relaxed) }

    /// Whether the device fails now.
    func fires() -> Bool { productsLeft.subtract(1, ordering: .relaxed).newValue == 0 }
}

/// A logical device that breaks down when a switch says so.
final class FailingDevice: ForwardingBackend {
    private let cpu: CPUDevice
    private let failing: FailureSwitch

    init(index: Int, _ failing: FailureSwitch) throws {
        cpu = try CPUDevice(index: index, budgetByteCount: 64 << 20)
        self.failing = failing
        super.init(cpu)
    }

    /// Counts a product, alone or in a coarse form.
    private func multiply() {
        if failing.fires() { cpu.raise(.deviceFailed(device: device, reason: "test")) }
    }

    override func linear(
        _ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor
    ) throws(TensorError) {
        multiply()
        try super.linear(x, layer, epilogue: epilogue, into: y)
    }

    override func attentionInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, shape: AttentionShape, rotary: RotaryTable,
        positions: Tensor, slots: Tensor, cache: KVLayerCache, normalized: Tensor, qkv: Tensor, into q: Tensor
    ) throws(TensorError) {
        multiply()
        try super.attentionInput(
            x, norm: norm, projection: projection, shape: shape, rotary: rotary, positions: positions, slots: slots,
            cache: cache, normalized: normalized, qkv: qkv, into: q)
    }

    override func feedForwardInput(
        _ x: Tensor, norm: RMSNormWeights, projection: LinearWeights, normalized: Tensor, gateUp: Tensor, into y: Tensor
    ) throws(TensorError) {
        multiply()
        try super.feedForwardInput(
            x, norm: norm, projection: projection, normalized: normalized, gateUp: gateUp, into: y)
    }
}
