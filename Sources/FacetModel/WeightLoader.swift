import FacetCheckpoint
package import FacetPlacement
package import FacetQuantization
package import FacetTensor

/// Binds declared tensors from a source to a backend, each checked for name, shape and dtype.
package final class WeightLoader: WeightBinder {
    private let source: any WeightSource
    private let backend: any Backend
    private let schemes: [String: QuantizationScheme]
    private let packs: Bool

    /// Loads from `source` onto the device of `backend`.
    ///
    /// - Parameters:
    ///   - schemes: how weights are quantized, by their names (`ModelInventory.schemes`).
    ///   - packs: whether matrices are laid out anew for the device's products.
    package init(
        _ source: any WeightSource, onto backend: any Backend, schemes: [String: QuantizationScheme] = [:],
        packs: Bool = false
    ) {
        self.source = source
        self.backend = backend
        self.schemes = schemes
        self.packs = packs
    }

    package func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights {
        let summand: Tensor? = if let bias { try fetch(bias) } else { nil }
        if case .quantized(let stored) = try StoredWeight(weight, schemes[weight.name], in: source) {
            let matrix = try stored.matrix(from: source, for: backend)
            return try naming(weight) { () throws(TensorError) in
                try packedIfWanted(backend.bind(quantized: matrix, bias: summand), weight.role)
            }
        }
        let matrix = try fetch(weight).reshaped([outputs, inputs])
        return try naming(weight) { () throws(TensorError) in
            try packedIfWanted(backend.bind(weight: matrix, bias: summand), weight.role)
        }
    }

    package func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        let stored = try fetch(declaration).reshaped(shape)
        return try naming(declaration) { () throws(TensorError) in try backend.bind(parameter: stored) }
    }

    package func alternatives(for unit: UnitName) -> [any WeightBinder] { [self] }

    private func packedIfWanted(
        _ layer: LinearWeights, _ role: WeightDeclaration.Role
    ) throws(TensorError) -> LinearWeights {
        packs ? try backend.packed(layer, isGated: role == .gatedMatrix) : layer
    }

    /// Puts the tensor's name into an error about its memory or its numbers: the backend does not know it.
    private func naming<Value>(
        _ declaration: WeightDeclaration, _ work: () throws(TensorError) -> Value
    ) throws(ModelError) -> Value {
        do { return try work() } catch .outOfMemory(_, let byteCount, let device) {
            throw .tensor(.outOfMemory(label: declaration.name, byteCount: byteCount, device: device))
        } catch .notRepresentable(_, let dtype) {
            throw .tensor(.notRepresentable(label: declaration.name, dtype: dtype))
        } catch { throw .tensor(error) }
    }

    private func fetch(_ declaration: WeightDeclaration) throws(ModelError) -> Tensor {
        guard let stored = source.stored(declaration.name) else {
            throw .missingTensors(names: [declaration.name], source: source.location)
        }
        if let problem = declaration.problem(with: stored) { throw problem }
        do { return try source.tensor(named: declaration.name, for: backend) } catch { throw .checkpoint(error) }
    }
}

extension WeightDeclaration {
    /// What is wrong with the stored form of this tensor, if anything.
    func problem(with stored: StoredTensor) -> ModelError? {
        guard stored.shape == shape else {
            return .shapeMismatch(tensor: name, file: stored.file, expected: shape, got: stored.shape)
        }
        guard let dtype = stored.dtype, dtype.isFloatingPoint else {
            return .unsupportedWeightDType(tensor: name, file: stored.file, got: stored.dtypeName)
        }
        return nil
    }
}
