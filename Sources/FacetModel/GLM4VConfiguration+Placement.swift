public import FacetPlacement
import FacetTensor

extension GLM4VConfiguration {
    /// The model as planning sees it, counted from the tensors that its layers ask for.
    ///
    /// Published checkpoints hold the rotary frequencies as a tensor; they are counted with the embedding, as the
    /// published sizes do, although this package computes them.
    /// - Throws: what assembling the model without weights throws.
    public func modelDescription() throws(ModelError) -> ModelDescription {
        let declarations = try ModelInventory(self).declarations
        return ModelDescription(
            units: PerKind { unit($0, declarations) }, visionLayerCount: vision.layerCount,
            decoderLayerCount: layerCount,
            vision: VisionWidths(
                rows: vision.rowCount, width: vision.hiddenSize, heads: vision.headCount,
                intermediate: vision.intermediateSize, patchElements: vision.patchElementCount,
                imageRows: imageRowCount),
            decoder: DecoderWidths(
                hidden: hiddenSize, intermediate: intermediateSize, heads: headCount, groups: groupCount,
                headDimension: headDimension, vocabulary: vocabularySize),
            tokenLimit: positionLimit + patchRowCount)
    }

    /// One unit of a kind: its matrices may be quantized, the rest may not.
    private func unit(_ kind: UnitKind, _ declarations: [WeightDeclaration]) -> PlacementUnit {
        let own = declarations.filter { $0.unit.kind == kind && $0.isOfFirstLayer }
        let linears = own.filter(\.isQuantizable)
        let others = own.reduce(0) { $0 + $1.shape.elementCount } - linears.reduce(0) { $0 + $1.shape.elementCount }
        let frequencies = kind == .tokenEmbedding ? rotatedDimension / 2 : 0
        return PlacementUnit(
            linears: linears.map { LinearShape(outputs: $0.shape.dimensions[0], inputs: $0.shape.dimensions[1]) },
            otherElements: others + frequencies)
    }
}

extension WeightDeclaration {
    /// Whether the tensor stands for its unit: all layers are alike, so the first one does.
    fileprivate var isOfFirstLayer: Bool {
        switch unit {
        case .visionLayer(let index), .decoderLayer(let index): index == 0
        default: true
        }
    }
}
