/// The memory of the published formulas: what any reasonable engine needs for this architecture.
///
/// Activations are 16 bits wide unless the precision says float32, and phases share one block of memory.
public struct PublishedMemory: MemoryModel {
    /// Live copies of a stored score matrix: scores, and probabilities.
    public var scoreCopies: Int

    /// Makes the model.
    public init(scoreCopies: Int = 2) { self.scoreCopies = scoreCopies }

    /// Two tensors of the groups' heads for every slot.
    public func cachePerLayer(_ inputs: MemoryInputs) -> Int {
        inputs.model.decoder.cacheByteCount(inputs.workload.cachePrecision) * inputs.workload.capacity(inputs.model)
    }

    /// The features of the pictures, where the embedding is.
    public func tables(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        guard kinds.contains(.tokenEmbedding) else { return 0 }
        let (model, workload) = (inputs.model, inputs.workload)
        let pictures = workload.sequences * workload.imagesPerSequence
        return pictures * model.vision.imageRows * model.decoder.hidden * inputs.precision.activationByteCount
    }

    /// The larger of the two phases: they never run at the same time on a device.
    public func activations(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        max(
            kinds.hasVision ? visionActivations(inputs) : 0,
            kinds.contains(.decoderLayer) ? decoderActivations(inputs) : 0)
    }

    /// Two float32 rows of the vocabulary for each sampled row, where the output layer is.
    public func logits(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        kinds.contains(.outputLayer) ? inputs.workload.sequences * inputs.model.decoder.vocabulary * 4 * 2 : 0
    }

    /// Twice the largest activation that is sent.
    public func hopBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let (model, workload) = (inputs.model, inputs.workload)
        var largest = 0
        if kinds.hasVision, workload.imagesPerSequence > 0 {
            largest =
                workload.imageBatch * model.vision.rows * model.vision.width * inputs.precision.vision.elementByteCount
        }
        if kinds.hasDecoder {
            let rows = workload.chunkRows(model) * model.decoder.hidden
            largest = max(largest, rows * inputs.precision.activationByteCount)
        }
        return 2 * largest
    }

    /// Feed-forward rows in and out of a tile, and two residual streams; stored scores when attention is not fused.
    public func visionActivations(_ inputs: MemoryInputs) -> Int {
        let (widths, workload) = (inputs.model.vision, inputs.workload)
        guard workload.imagesPerSequence > 0 else { return 0 }
        let tile = min(workload.visionTileRows ?? widths.rows, widths.rows)
        var elements = 2 * tile * widths.intermediate + 2 * widths.rows * widths.width
        if workload.attention == .materialized { elements += scoreCopies * widths.heads * widths.rows * widths.rows }
        return workload.imageBatch * elements * inputs.precision.vision.elementByteCount
    }

    /// Gate, up and product of a chunk and two residual streams; stored scores against the whole capacity.
    public func decoderActivations(_ inputs: MemoryInputs) -> Int {
        let (widths, workload) = (inputs.model.decoder, inputs.workload)
        let rows = workload.chunkRows(inputs.model)
        var elements = rows * (3 * widths.intermediate + 2 * widths.hidden)
        if workload.attention == .materialized {
            elements += scoreCopies * widths.heads * rows * workload.capacityPerSequence(inputs.model)
        }
        return elements * inputs.precision.activationByteCount
    }
}
