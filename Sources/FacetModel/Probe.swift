public import FacetTensor

/// Sees a tensor at each named point of a forward.
///
/// The points and their shapes:
///
/// - `vision.patch_embedding`, `vision.layers.0` …: `[1 + patches, width]`
/// - `vision.conv`, `vision.linear_proj`: `[patches / 4, hidden]`
/// - `vision.output`: `[patches / 4 + 2, hidden]`
/// - `hidden.0` (pictures put in) … `hidden.N` (after the last layer), `final_layernorm`: `[rows, hidden]`
/// - `logits`: `[sampled rows, vocabulary]`, float32
///
/// The tensor is a view of scratch memory: it holds its values during the call only.
public typealias Probe = (_ point: String, _ tensor: Tensor) throws(TensorError) -> Void

/// Finds the first point of a forward at which a NaN or an infinity appears.
public final class NonFiniteFinder {
    /// The first such point; nil as long as all values were finite.
    public private(set) var firstPoint: String?

    private let devices: [any Backend]

    /// Makes a finder that checks each tensor on its device.
    public init(_ devices: [any Backend]) { self.devices = devices }

    /// Makes a finder for a model on one device.
    public convenience init(_ backend: any Backend) { self.init([backend]) }

    /// The probe to hand to a forward.
    public var probe: Probe {
        { point, tensor throws(TensorError) in
            guard self.firstPoint == nil, let device = self.devices.first(where: { $0.device == tensor.device })
            else { return }
            if try device.containsNonFinite(tensor) { self.firstPoint = point }
        }
    }
}
