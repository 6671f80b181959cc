import FacetCheckpoint
import FacetPlacement
import FacetQuantization
import FacetTensor

/// Binds a unit's tensors to the places that they will have in one staging buffer, in the layout of the source.
final class StagedBinder: WeightBinder {
    private let source: any WeightSource
    private let slot: Int
    private let packing: UnitPacking
    private let streamer: UnitStreamer
    private let schemes: [String: QuantizationScheme]

    init(
        _ source: any WeightSource, slot: Int, packing: UnitPacking, streamer: UnitStreamer,
        schemes: [String: QuantizationScheme]
    ) {
        self.schemes = schemes
        self.source = source
        self.slot = slot
        self.packing = packing
        self.streamer = streamer
    }

    func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights {
        let summand: Tensor? = if let bias { try view(bias, as: bias.shape) } else { nil }
        if case .quantized(let stored) = try StoredWeight(weight, schemes[weight.name], in: source) {
            let matrix = stored.matrix(
                codes: try view(stored.names.codes(stored.scheme), stored.codes),
                scales: try view(stored.names.scale, stored.scales))
            return LinearWeights(quantized: matrix, bias: summand)
        }
        return LinearWeights(
            weight: try view(weight, as: [outputs, inputs]), bias: summand, outputs: outputs, inputs: inputs)
    }

    func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        try view(declaration, as: shape)
    }

    func alternatives(for unit: UnitName) -> [any WeightBinder] { [self] }

    private func view(_ name: String, _ stored: StoredTensor) throws(ModelError) -> Tensor {
        guard let dtype = stored.dtype, let range = packing.range(of: name) else {
            throw .missingTensors(names: [name], source: source.location)
        }
        return streamer.view(slot, range, shape: stored.shape, dtype: dtype)
    }

    private func view(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        guard let stored = source.stored(declaration.name), let range = packing.range(of: declaration.name) else {
            throw .missingTensors(names: [declaration.name], source: source.location)
        }
        if let problem = declaration.problem(with: stored) { throw problem }
        guard let dtype = stored.dtype else {
            throw .unsupportedWeightDType(
                tensor: declaration.name, file: stored.file, got: stored.dtypeName)
        }
        return streamer.view(slot, range, shape: shape, dtype: dtype)
    }
}
