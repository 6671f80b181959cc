public import FacetPlacement
public import FacetTensor

/// The memory model of this package's own engine: the sizes that it allocates, not estimates.
///
/// Activations of both chains share one workspace, sized by the kinds of units that a device has; it holds the logits
/// and what hops bring.
public struct EngineMemory: MemoryModel {
    /// The model's sizes.
    public let configuration: GLM4VConfiguration

    /// Type of the activations, and of the cache unless it is quantized.
    public let dtype: DType

    private let fixedLimits: ModelLimits?
    private let packedByteCounts: [UnitKind: Int]

    /// Makes the memory model of a configuration.
    ///
    /// - Parameters:
    ///   - limits: what the engine is given whatever the workload; nil to follow the workload.
    ///   - weights: sizes of the units as a source stores them, for exact staging buffers; empty to do without.
    public init(
        _ configuration: GLM4VConfiguration, dtype: DType, limits: ModelLimits? = nil,
        weights: [UnitName: UnitWeightSize] = [:]
    ) {
        self.configuration = configuration
        self.dtype = dtype
        fixedLimits = limits
        packedByteCounts = Dictionary(weights.map { ($0.key.kind, $0.value.packedByteCount) }, uniquingKeysWith: max)
    }

    /// The limits that the engine would be given for a workload.
    public func limits(_ inputs: MemoryInputs) -> ModelLimits {
        if let fixedLimits { return fixedLimits }
        let (workload, most) = (inputs.workload, 1 << 30)
        return ModelLimits(
            maxRows: min(most, workload.chunkRows(inputs.model)), maxSequences: min(most, workload.sequences),
            pageSize: min(most, workload.pageSize),
            pageCount: max(1, min(most / workload.pageSize, workload.capacity(inputs.model) / workload.pageSize)),
            maxImages: min(most, workload.sequences * workload.imagesPerSequence),
            visionTileRows: workload.visionTileRows ?? configuration.vision.rowCount,
            quantizesCache: workload.cachePrecision.isQuantized)
    }

    /// Keys and values of every page.
    public func cachePerLayer(_ inputs: MemoryInputs) -> Int {
        // Slots are counted in 32 bits: more than that fits nowhere.
        guard fixedLimits != nil || inputs.workload.capacity(inputs.model) < 1 << 30 else { return 1 << 50 }
        return KVCache.byteCountPerLayer(configuration, limits(inputs), dtype)
    }

    /// Pictures' features with the embedding, and a rotary table with any decoder layer.
    public func tables(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let feature = FeatureStore.shape(configuration).elementCount * dtype.byteCount
        let table = configuration.positionLimit * configuration.rotatedDimension * DType.float32.byteCount
        return (kinds.contains(.tokenEmbedding) ? limits(inputs).maxImages * feature : 0)
            + (kinds.contains(.decoderLayer) ? table : 0)
    }

    /// The workspace of a device with units of these kinds.
    public func activations(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        // All layers are alike: one stands for a run of them.
        let chains = UnitName.visionChain(layerCount: 1) + UnitName.decoderChain(layerCount: 1)
        let units = chains.filter { kinds.contains($0.kind) }
        return WorkspaceLayout(configuration, limits(inputs), dtype, units: Set(units)).byteCount
    }

    /// As many staging buffers as a streamer has, of the largest streamed unit with its tensors side by side.
    public func streamBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let streamed = UnitKind.allCases.filter { kinds.contains($0) && inputs.streaming.kinds.contains($0) }
        let sizes = streamed.map { packedByteCounts[$0] ?? inputs.model.byteCount($0, inputs.precision) }
        return UnitStreamer.bufferCount * (sizes.max() ?? 0)
    }

    /// Logits lie in the workspace.
    public func logits(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }

    /// Hops arrive in the workspace.
    public func hopBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }
}
