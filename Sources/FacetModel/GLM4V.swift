public import FacetCheckpoint
public import FacetPlacement
public import FacetTensor

/// The whole model: a vision tower, the projector behind it, and the decoder.
///
/// Read this file first.
///
///     pixels ─ VisionTower ─ Projector ─ features of the picture ─┐
///     token ids ─────────────────────────────────────────────── Decoder ─ logits
///
/// Every unit is on the device that a placement gives it. Weights are immutable; all that changes is in the
/// `ModelMemory` that the caller hands in. The model knows nothing of requests, text or sampling.
///
/// It belongs to the thread that feeds its devices.
public struct GLM4V {
    /// The recipe.
    public let configuration: GLM4VConfiguration

    /// Type of the activations.
    public let dtype: DType

    /// Which unit is on which device.
    public let placement: Placement

    /// The devices of the placement, in its order.
    public let devices: [any Backend]

    private let network: Network
    private let rotary: [RotaryTable?]  // one per device, nil where no decoder layer is
    private let streamers: [UnitStreamer?]
    private let advice: WeightStream?

    /// Binds the weights of a checkpoint to one device; equal to `init(source:…)`.
    public init(
        checkpoint: Checkpoint, configuration: GLM4VConfiguration, dtype: DType, backend: any Backend,
        residency: WeightResidency = .mapped
    ) throws(ModelError) {
        try self.init(
            source: checkpoint, configuration: configuration, dtype: dtype, backend: backend, residency: residency)
    }

    /// Checks a source against the configuration and binds its weights to one device.
    public init(
        source: any WeightSource, configuration: GLM4VConfiguration, dtype: DType, backend: any Backend,
        residency: WeightResidency = .mapped
    ) throws(ModelError) {
        try self.init(
            source: source, configuration: configuration, dtype: dtype, devices: [backend],
            placement: .single(configuration), residency: residency)
    }

    /// Checks a source against the configuration and binds each unit's weights to the unit's device.
    ///
    /// - Parameters:
    ///   - dtype: type of the activations, one that all devices compute in; weights keep their own.
    ///   - residency: how weights that are used from mapped files are kept in memory.
    ///   - progress: called with the bytes of the units that have been loaded; ends loading by throwing.
    /// - Throws: `.missingTensors`, `.unexpectedTensors`, `.quantizedTensors`, `.shapeMismatch`,
    ///   `.unsupportedWeightDType`, `.unsupportedActivationDType`, `.placementMismatch`, `.checkpoint`, `.tensor`.
    ///   Nothing stays in the devices' memory then.
    public init(
        source: any WeightSource, configuration: GLM4VConfiguration, dtype: DType, devices: [any Backend],
        placement: Placement, residency: WeightResidency = .mapped,
        progress: (_ finishedByteCount: Int) throws(ModelError) -> Void = { (_) throws(ModelError) in }
    ) throws(ModelError) {
        try placement.check(configuration, deviceCount: devices.count)
        guard placement.usedDevices.allSatisfy({ devices[$0].activationDTypes.contains(dtype) }) else {
            throw .unsupportedActivationDType(dtype)
        }
        let inventory = try ModelInventory(configuration)
        try InventoryReport(inventory, source).check()
        do {
            let weights = try PlacedWeights(
                source, inventory, configuration, devices: devices, placement: placement,
                packs: residency == .packed)
            network = try weights.load(progress)
            rotary = try Self.rotaryTables(configuration, devices, placement)
            // Not only the weights: what is still in a queue keeps its tensors alive, even without the model.
            try mappingTensorError { () throws(TensorError) in
                for device in devices { try device.synchronize() }
            }
            streamers = weights.streamers
        } catch {
            // What is enqueued keeps its tensors alive until it has passed; its errors are behind the one thrown.
            for device in devices { try? device.synchronize() }
            throw error
        }
        advice = residency == .streamed ? WeightStream(source, inventory, configuration) : nil
        self.configuration = configuration
        self.dtype = dtype
        self.placement = placement
        self.devices = devices
    }

    private static func rotaryTables(
        _ configuration: GLM4VConfiguration, _ devices: [any Backend], _ placement: Placement
    ) throws(ModelError) -> [RotaryTable?] {
        let needed = Set(placement.decoder[1...configuration.layerCount].map(\.device))
        return try mappingTensorError { () throws(TensorError) in
            var tables: [RotaryTable?] = []
            for (index, backend) in devices.enumerated() {
                tables.append(
                    needed.contains(index) ? try RotaryEmbedding.table(configuration, on: backend) : nil)
            }
            return tables
        }
    }

    /// Encodes a picture into its place in the feature store, which it has afterwards.
    ///
    /// - Parameters:
    ///   - pixels: `[channels, side, side]`, normalized.
    ///   - image: names the picture.
    ///   - probe: sees the tensors at every named point; slows the encoding down.
    /// - Throws: `.noFeatureSlot`, `.tensor`; the picture has no place then.
    public func encode(
        _ pixels: [Float], as image: ImageID, memory: ModelMemory, probe: Probe? = nil
    ) throws(ModelError) {
        let encoding = try beginEncoding(pixels, as: image, memory: memory, probe: probe)
        do {
            while !encoding.isEnqueued { try encoding.enqueueStage() }
        } catch {
            memory.features.release(image)
            throw error
        }
    }

    /// Takes a place in the feature store for a picture that is encoded unit by unit, between steps of the decoder.
    ///
    /// Only one picture may be on its way at a time; `memory.features.release` gives its place back.
    /// - Throws: `.noFeatureSlot`.
    public func beginEncoding(
        _ pixels: [Float], as image: ImageID, memory: ModelMemory, probe: Probe? = nil
    ) throws(ModelError) -> PictureEncoding {
        PictureEncoding(
            pixels, into: try memory.features.reserve(image), network: network, configuration: configuration,
            Traversal(memory: memory, streamers: streamers, advice: advice, probe: probe))
    }

    /// Runs one batch: writes the cache and leaves the sampled rows' logits in `ModelMemory.logits`.
    ///
    /// The work is enqueued; the next batch may be enqueued before it is done.
    public func forward(_ pass: ForwardPass) throws(ModelError) {
        let traversal = Traversal(
            memory: pass.memory, streamers: streamers, advice: advice, probe: pass.probe)
        try mappingTensorError { () throws(TensorError) in try network.decoder(pass, traversal, rotary) }
    }

    /// Waits for all devices and forgets their errors: the model can be used again, everything enqueued is lost.
    ///
    /// - Parameter memory: what the lost work was done in.
    public func recover(_ memory: ModelMemory) {
        // The error that led here has been reported.
        for device in devices { try? device.synchronize() }
        for streamer in streamers { streamer?.reset() }
        memory.forgetBorrowers()
    }

    /// How streamed units came to their devices so far; empty when all are resident.
    public var streamTimings: [StreamTiming] { streamers.compactMap { $0?.timing } }
}

extension Placement {
    /// Everything on device 0.
    public static func single(_ configuration: GLM4VConfiguration) -> Placement {
        single(visionLayers: configuration.vision.layerCount, decoderLayers: configuration.layerCount)
    }

    /// Checks that the placement has the units of a model and names devices that there are.
    ///
    /// - Throws: `.placementMismatch`.
    public func check(_ configuration: GLM4VConfiguration, deviceCount: Int) throws(ModelError) {
        let expected = (configuration.vision.layerCount, configuration.layerCount)
        guard visionLayerCount == expected.0 && decoderLayerCount == expected.1 else {
            throw .placementMismatch(
                reason: "it is for \(visionLayerCount) vision and \(decoderLayerCount) decoder layers, but the model "
                    + "has \(expected.0) and \(expected.1)")
        }
        if let device = usedDevices.first(where: { !(0..<deviceCount).contains($0) }) {
            throw .placementMismatch(reason: "it uses device \(device), but there are \(deviceCount) devices")
        }
    }
}

/// The layers of the model, bound or merely surveyed.
struct Network: Sendable {
    let tower: VisionTower
    let projector: Staged<Projector>
    let decoder: Decoder

    init(_ weights: Weights, _ configuration: GLM4VConfiguration) throws(ModelError) {
        decoder = try Decoder(weights, configuration)
        tower = try VisionTower(weights["vision"], configuration.vision)
        projector = try weights["vision"].staged(.projector) { (weights) throws(ModelError) in
            try Projector(weights, configuration)
        }
    }

    /// Joins what the threads of several devices have made, each of the units on its own device.
    init(merging parts: [Network]) {
        decoder = Decoder(merging: parts.map(\.decoder))
        tower = VisionTower(merging: parts.map(\.tower))
        projector = Staged(merging: parts.map(\.projector))
    }
}
