public import FacetPlacement
public import FacetTensor

/// The memory model of this package's own engine: the sizes that it allocates, not estimates.
///
/// Activations of both chains share one workspace and hold the logits and what hops bring.
public struct EngineMemory: MemoryModel {
    /// The model's sizes.
    public let configuration: GLM4VConfiguration

    /// Type of the activations and of the cache.
    public let dtype: DType

    /// Makes the memory model of a configuration.
    public init(_ configuration: GLM4VConfiguration, dtype: DType) {
        self.configuration = configuration
        self.dtype = dtype
    }

    /// The limits that the engine would be given for a workload.
    public func limits(_ inputs: MemoryInputs) -> ModelLimits {
        let (workload, most) = (inputs.workload, 1 << 30)
        return ModelLimits(
            maxRows: min(most, workload.chunkRows(inputs.model)), maxSequences: min(most, workload.sequences),
            pageSize: min(most, workload.pageSize),
            pageCount: max(1, min(most / workload.pageSize, workload.capacity(inputs.model) / workload.pageSize)),
            maxImages: min(most, workload.sequences * workload.imagesPerSequence),
            visionTileRows: workload.visionTileRows ?? configuration.vision.rowCount)
    }

    /// Keys and values of every page.
    public func cachePerLayer(_ inputs: MemoryInputs) -> Int {
        // Slots are counted in 32 bits: more than that fits nowhere.
        guard inputs.workload.capacity(inputs.model) < 1 << 30 else { return 1 << 50 }
        return 2 * KVCache.shape(configuration, limits(inputs)).elementCount * dtype.byteCount
    }

    /// Pictures' features with the embedding, and a rotary table with any decoder layer.
    public func tables(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let feature = FeatureStore.shape(configuration).elementCount * dtype.byteCount
        let table = configuration.positionLimit * configuration.rotatedDimension * DType.float32.byteCount
        return (kinds.contains(.tokenEmbedding) ? limits(inputs).maxImages * feature : 0)
            + (kinds.contains(.decoderLayer) ? table : 0)
    }

    /// The workspace: the larger of what the chains that are present need.
    public func activations(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let layout = WorkspaceLayout(configuration, limits(inputs), dtype)
        return max(
            kinds.hasVision ? layout.vision.byteCount : 0, kinds.hasDecoder ? layout.decoder.byteCount : 0)
    }

    /// Logits lie in the workspace.
    public func logits(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }

    /// Hops arrive in the workspace.
    public func hopBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }
}
