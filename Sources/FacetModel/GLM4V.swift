public import FacetCheckpoint
public import FacetTensor

/// The whole model: a vision tower, the projector behind it, and the decoder.
///
/// Read this file first.
///
///     pixels ─ VisionTower ─ Projector ─ features of the picture ─┐
///     token ids ─────────────────────────────────────────────── Decoder ─ logits
///
/// Weights are immutable; all that changes is in the workspace, the cache and the feature store that the caller
/// hands in. The model knows nothing of requests, text or sampling.
public struct GLM4V: Sendable {
    /// The recipe.
    public let configuration: GLM4VConfiguration

    /// Type of the activations.
    public let dtype: DType

    private let network: Network
    private let rotary: RotaryTable
    private let stream: WeightStream?

    /// Binds the weights of a checkpoint; equal to `init(source:…)`.
    public init(
        checkpoint: Checkpoint, configuration: GLM4VConfiguration, dtype: DType, backend: any Backend,
        residency: WeightResidency = .mapped
    ) throws(ModelError) {
        try self.init(
            source: checkpoint, configuration: configuration, dtype: dtype, backend: backend, residency: residency)
    }

    /// Checks a source against the configuration and binds its weights to a backend.
    ///
    /// - Parameters:
    ///   - dtype: type of the activations, float32 or bfloat16; weights keep their own.
    ///   - residency: how mapped weights are kept in memory.
    /// - Throws: `.missingTensors`, `.unexpectedTensors`, `.quantizedTensors`, `.shapeMismatch`,
    ///   `.unsupportedWeightDType`, `.unsupportedActivationDType`, `.checkpoint`, `.tensor`.
    public init(
        source: any WeightSource, configuration: GLM4VConfiguration, dtype: DType, backend: any Backend,
        residency: WeightResidency = .mapped
    ) throws(ModelError) {
        guard dtype == .float32 || dtype == .bfloat16 else { throw .unsupportedActivationDType(dtype) }
        let inventory = try ModelInventory(configuration)
        try InventoryReport(inventory, source).check()
        network = try Network(Weights(WeightLoader(source, onto: backend)), configuration)
        rotary = try mappingTensorError { () throws(TensorError) in
            try RotaryEmbedding.table(configuration, on: backend)
        }
        stream = residency == .streamed ? WeightStream(source, inventory, configuration) : nil
        self.configuration = configuration
        self.dtype = dtype
    }

    /// Encodes a picture.
    ///
    /// - Parameters:
    ///   - pixels: `[1, channels, side, side]`, float32, normalized; `workspace.pixels` is the place for them.
    ///   - features: receives the picture's rows (begin, patches, end), `[image rows, hidden]`.
    ///   - probe: sees the tensors at every named point; slows the encoding down.
    public func encode(
        pixels: Tensor, into features: Tensor, workspace: Workspace, probe: Probe? = nil
    ) throws(ModelError) {
        let pass = VisionPass(backend: workspace.backend, workspace: workspace, probe: probe)
        try mappingTensorError { () throws(TensorError) in
            let rows = try network.tower(pixels, pass, stream)
            stream?.enter(.projector)
            try network.projector(rows, into: features, pass)
        }
        stream?.finishPicture()
    }

    /// Runs one batch: writes the cache and leaves the sampled rows' logits in the workspace (`Workspace.logits`).
    public func forward(_ pass: ForwardPass) throws(ModelError) {
        try mappingTensorError { () throws(TensorError) in try network.decoder(pass, rotary, stream) }
    }
}

/// The layers of the model, bound or merely surveyed.
struct Network: Sendable {
    let tower: VisionTower
    let projector: Projector
    let decoder: Decoder

    init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        decoder = try Decoder(weights, configuration)
        tower = try VisionTower(weights["vision"], configuration.vision)
        projector = try Projector(weights["vision"], configuration)
    }
}
