import FacetPlacement
public import FacetTensor

/// All memory of a model besides its weights: a workspace per device, the cache, the places of pictures' features.
///
/// It is taken when it is made; nothing is allocated afterwards. What it holds changes with every forward, so it belongs
/// to the one thread that feeds the model's devices.
public final class ModelMemory {
    /// What the memory was sized by.
    public let limits: ModelLimits

    /// Keys and values, each layer's on its device.
    public let cache: KVCache

    /// Encoded pictures, on the token embedding's device.
    public let features: FeatureStore

    let configuration: GLM4VConfiguration
    let devices: [any Backend]
    let placement: Placement
    private let workspaces: [Workspace?]  // one per device, nil where no unit is
    private let replayers: [any Replayer]  // one per device

    /// Takes the memory that a model needs within limits, on the model's devices.
    ///
    /// - Throws: `.tensor(.outOfMemory)`.
    public init(for model: GLM4V, limits: ModelLimits) throws(ModelError) {
        self.limits = limits
        configuration = model.configuration
        devices = model.devices
        placement = model.placement
        let (configuration, dtype, placement) = (model.configuration, model.dtype, model.placement)
        var workspaces: [Workspace?] = []
        for (index, backend) in model.devices.enumerated() {
            let units = UnitName.allUnits(of: configuration).filter { placement[$0].device == index }
            workspaces.append(
                units.isEmpty
                    ? nil
                    : try Workspace(
                        configuration, limits: limits, dtype: dtype, backend: backend, units: Set(units)))
        }
        self.workspaces = workspaces
        replayers = model.devices.map { $0.makeReplayer() }
        cache = try KVCache(
            configuration, limits: limits, dtype: dtype, devices: model.devices, placement: placement)
        features = try FeatureStore(
            configuration, limits: limits, dtype: dtype,
            backend: model.devices[placement[.tokenEmbedding].device])
    }

    /// The first rows of the last forward's logits: `[rows, vocabulary]`, float32, on `outputDevice`.
    public func logits(rows: Int) -> Tensor { workspace(of: .outputLayer).logits(rows: rows) }

    /// The device that computes logits.
    public var outputDevice: any Backend { devices[placement[.outputLayer].device] }

    /// The device that holds pictures' features.
    public var featureDevice: any Backend { devices[placement[.tokenEmbedding].device] }

    /// Where a picture's pixels go before it is encoded: `[1, channels, side, side]`, float32.
    package var pixels: Tensor { workspace(of: .patchEmbedding).pixels }

    /// Forgets who reads from the workspaces, after everything enqueued has passed.
    func forgetBorrowers() { for workspace in workspaces { workspace?.forgetBorrowers() } }

    /// What repeats work in this memory on a device.
    func replayer(on device: Int) -> any Replayer { replayers[device] }

    /// The workspace of a unit's device.
    func workspace(of unit: UnitName) -> Workspace { workspace(on: placement[unit].device) }

    /// The workspace of a device that has units.
    func workspace(on device: Int) -> Workspace {
        guard let workspace = workspaces[device] else { preconditionFailure("device \(device) has no unit") }
        return workspace
    }

    /// The workspace that a tensor is a view of.
    func workspace(holding tensor: Tensor) -> Workspace {
        for case let workspace? in workspaces where workspace.holds(tensor) { return workspace }
        preconditionFailure("a tensor of shape \(tensor.shape) is in no workspace")
    }
}
