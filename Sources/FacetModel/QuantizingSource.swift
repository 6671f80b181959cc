public import FacetCheckpoint
public import FacetPlacement
import FacetQuantization
public import FacetTensor
import Synchronization

/// A source whose weights are quantized on their way into memory.
///
/// It looks like a checkpoint that was quantized in the same way: codes and scales under the same names. A matrix is
/// quantized when its codes or scales are first asked for; the other tensor waits for its turn.
public final class QuantizingSource: WeightSource {
    /// The original's location.
    public let location: String

    /// Names of all tensors as they are after quantization.
    public let tensorNames: [String]

    /// Bytes of all tensors after quantization.
    public let byteCount: Int

    private let base: any WeightSource
    private let tensors: [String: StoredTensor]
    private let matrices: [String: Matrix]  // by the names of codes and of scales
    private let waiting = Mutex<[String: Tensor]>([:])

    private struct Matrix: Sendable {
        let name: String
        let scheme: QuantizationScheme
        let shape: Shape
    }

    /// Prepares to quantize the weights of `base`.
    ///
    /// - Parameters:
    ///   - base: weights in floating point.
    ///   - configuration: says what is quantized (`GLM4VConfiguration.quantized`).
    /// - Throws: what is wrong with `base`.
    public init(_ base: any WeightSource, _ configuration: GLM4VConfiguration) throws(ModelError) {
        let inventory = try ModelInventory(configuration)
        try InventoryReport(try ModelInventory(configuration.withQuantization(nil)), base).check()
        var tensors: [String: StoredTensor] = [:]
        var matrices: [String: Matrix] = [:]
        var names: [String] = []
        for name in base.tensorNames {
            guard let stored = base.stored(name) else { continue }
            guard let scheme = inventory.schemes[name] else {
                tensors[name] = stored
                names.append(name)
                continue
            }
            let weight = WeightName(name)
            for (name, form) in Self.forms(weight, scheme, stored) {
                tensors[name] = form
                matrices[name] = Matrix(name: weight.plain, scheme: scheme, shape: stored.shape)
                names.append(name)
            }
        }
        self.base = base
        self.tensors = tensors
        self.matrices = matrices
        location = base.location
        tensorNames = names
        byteCount = tensors.values.reduce(0) { $0 + $1.byteCount }
    }

    /// What is known of a tensor.
    public func stored(_ name: String) -> StoredTensor? { tensors[name] }

    /// The tensor of a name: the original's, or codes or scales in memory of their own.
    public func tensor(named name: String) throws(CheckpointError) -> Tensor {
        guard let matrix = matrices[name] else { return try base.tensor(named: name) }
        if let tensor = waiting.withLock({ $0.removeValue(forKey: name) }) { return tensor }
        let (codes, scales) = try quantize(matrix)
        let weight = WeightName(matrix.name)
        let isCodes = name == weight.codes(matrix.scheme)
        waiting.withLock { $0[isCodes ? weight.scale : weight.codes(matrix.scheme)] = isCodes ? scales : codes }
        return isCodes ? codes : scales
    }

    /// Passes on what concerns tensors that are used as they are; what was quantized cannot be read again.
    public func advise(_ advice: MemoryAdvice, tensors names: [String]) {
        base.advise(advice, tensors: names.filter { matrices[$0] == nil })
    }

    /// A source and its recipe with weights quantized as a choice says; both as they are when it quantizes nothing.
    ///
    /// - Throws: `.alreadyQuantized`, and what is wrong with the source.
    public static func quantizing(
        _ source: any WeightSource, _ configuration: GLM4VConfiguration, _ choice: PrecisionChoice?
    ) throws(ModelError) -> (source: any WeightSource, configuration: GLM4VConfiguration) {
        guard let choice else { return (source, configuration) }
        guard configuration.quantization == nil else { throw .alreadyQuantized(source: source.location) }
        guard let quantized = try configuration.quantized(choice) else { return (source, configuration) }
        return (try QuantizingSource(source, quantized), quantized)
    }

    private func quantize(_ matrix: Matrix) throws(CheckpointError) -> (codes: Tensor, scales: Tensor) {
        let source = try base.tensor(named: matrix.name)
        let weight = WeightName(matrix.name), scheme = matrix.scheme
        guard let codesForm = tensors[weight.codes(scheme)], let scalesForm = tensors[weight.scale] else {
            throw .missingTensor(tensor: matrix.name, checkpoint: location)
        }
        let codes: Tensor, scales: Tensor
        do {
            codes = Tensor(
                try Storage(allocating: codesForm.byteCount, label: weight.codes(scheme)), shape: codesForm.shape,
                dtype: scheme.format == .int4 ? .int32 : scheme.format.codeDType)
            scales = Tensor(
                try Storage(allocating: scalesForm.byteCount, label: weight.scale), shape: scalesForm.shape,
                dtype: scheme.scaleDType)
        } catch { throw .memory(error) }
        do {
            _ = try MatrixQuantizer(scheme, inputs: matrix.shape[1]).quantize(
                UnsafeRawBufferPointer(start: source.address, count: source.byteCount), source.dtype,
                rows: matrix.shape[0],
                codes: UnsafeMutableRawBufferPointer(start: codes.address, count: codes.byteCount),
                scales: UnsafeMutableRawBufferPointer(start: scales.address, count: scales.byteCount))
        } catch {
            throw .unusableWeights(tensor: matrix.name, file: base.stored(matrix.name)?.file ?? location, "\(error)")
        }
        base.advise(.dontNeed, tensors: [matrix.name])
        return (codes, scales)
    }

    /// Names and forms of the tensors that a weight becomes.
    static func forms(
        _ name: WeightName, _ scheme: QuantizationScheme, _ stored: StoredTensor
    ) -> [(String, StoredTensor)] {
        let (outputs, inputs) = (stored.shape[0], stored.shape[1])
        let isPacked = scheme.format == .int4
        let codes = StoredTensor(
            shape: [outputs, isPacked ? (inputs + 7) / 8 : inputs], dtype: isPacked ? .int32 : scheme.format.codeDType,
            file: stored.file)
        let scales = StoredTensor(
            shape: [outputs, scheme.groupCount(inputs: inputs)], dtype: scheme.scaleDType, file: stored.file)
        return [(name.codes(scheme), codes), (name.scale, scales)]
    }
}

extension StoredTensor {
    /// Describes a tensor of a type that tensors have.
    init(shape: Shape, dtype: DType, file: String) {
        self.init(
            shape: shape, dtypeName: SafetensorsDType(dtype).rawValue, dtype: dtype,
            byteCount: shape.elementCount * dtype.byteCount, file: file)
    }
}
