public import FacetCheckpoint
import FacetQuantization
public import FacetTensor

/// Random weights of any configuration, for measurements without a checkpoint.
///
/// A tensor is made when it is asked for, in memory of its own, so that bandwidth is measured honestly: by the device
/// that it is for, where that can (`Backend.generate`), and otherwise here, with the same bytes. Norm weights are near 1
/// and all others small, so that activations stay finite through any number of layers. The same seed gives the same
/// model. Weights that the configuration says are quantized have random codes, and scales that make the same range of
/// them.
public final class RandomWeights: WeightSource {
    /// The source's name in errors.
    public let location = "random weights"

    /// Names of all tensors.
    public let tensorNames: [String]

    /// Bytes of all tensors.
    public let byteCount: Int

    private let tensors: [String: Content]
    private let numbers: [Float]

    private struct Content: Sendable {
        let stored: StoredTensor
        let form: Form
    }

    private enum Form: Sendable {
        case noise(NoiseTensor)
        /// Scales, all alike.
        case constant(Float)
    }

    /// Describes the tensors that a configuration calls for.
    ///
    /// - Parameter dtype: float32 or bfloat16, for what is not quantized.
    public init(_ configuration: GLM4VConfiguration, dtype: DType = .bfloat16, seed: UInt64 = 1) throws(ModelError) {
        precondition(dtype == .bfloat16 || dtype == .float32, "random weights are bfloat16 or float32")
        let inventory = try ModelInventory(configuration)
        var tensors: [String: Content] = [:]
        var names: [String] = []
        for (index, declaration) in inventory.declarations.enumerated() {
            let place = Place(seed: seed, offset: index * 7919, file: location)
            for (name, content) in Self.contents(declaration, inventory.schemes[declaration.name], dtype, place) {
                tensors[name] = content
                names.append(name)
            }
        }
        self.tensors = tensors
        tensorNames = names
        byteCount = tensors.values.reduce(0) { $0 + $1.stored.byteCount }
        numbers = (0..<NoiseTensor.period).map { NoiseTensor.number(seed: seed, at: $0) }
    }

    /// What is known of a tensor.
    public func stored(_ name: String) -> StoredTensor? { tensors[name]?.stored }

    /// The tensor of a name, made anew.
    public func tensor(named name: String) throws(CheckpointError) -> Tensor {
        let content = try content(name)
        do throws(TensorError) {
            let storage = try Storage(allocating: content.stored.byteCount, label: name)
            let bytes = UnsafeMutableRawBufferPointer(start: storage.base, count: storage.byteCount)
            let dtype = content.stored.dtype ?? .uint8
            switch content.form {
            case .noise(let noise): noise.write(numbers, into: bytes)
            case .constant(let scale):
                NoiseTensor(
                    content.stored.shape, numbers: dtype, center: scale, width: 0, seed: 0, offset: 0
                ).write(numbers, into: bytes)
            }
            return Tensor(storage, shape: content.stored.shape, dtype: dtype)
        } catch { throw .memory(error) }
    }

    /// The tensor of a name, made by the device where it can.
    public func tensor(named name: String, for backend: any Backend) throws(CheckpointError) -> Tensor {
        guard case .noise(let noise) = try content(name).form else { return try tensor(named: name) }
        do throws(TensorError) {
            if let tensor = try backend.generate(noise, label: name) { return tensor }
        } catch { throw .memory(error) }
        return try tensor(named: name)
    }

    /// Does nothing: there is no file.
    public func advise(_ advice: MemoryAdvice, tensors names: [String]) {}

    private func content(_ name: String) throws(CheckpointError) -> Content {
        guard let content = tensors[name] else { throw .missingTensor(tensor: name, checkpoint: location) }
        return content
    }

    /// Which part of the noise a tensor is.
    private struct Place {
        let seed: UInt64
        let offset: Int
        let file: String
    }

    private static func contents(
        _ declaration: WeightDeclaration, _ scheme: QuantizationScheme?, _ dtype: DType, _ place: Place
    ) -> [(String, Content)] {
        let shape = declaration.shape
        let dense = StoredTensor(shape: shape, dtype: dtype, file: place.file)
        // Uniform noise of this width keeps a product's variance near that of its operand.
        let inputs = max(1, declaration.role.isMatrix ? shape.rowElementCount : shape.elementCount)
        let width = (3 / Float(inputs)).squareRoot()
        guard let scheme else {
            let isFactor = declaration.role == .normWeight
            let noise = NoiseTensor(
                shape, numbers: dtype, center: isFactor ? 1 : 0, width: isFactor ? 0.1 : width, seed: place.seed,
                offset: place.offset)
            return [(declaration.name, Content(stored: dense, form: .noise(noise)))]
        }
        let codes = NoiseTensor(shape, codes: scheme.format, seed: place.seed, offset: place.offset)
        let forms = QuantizingSource.forms(WeightName(declaration.name), scheme, dense)
        let scale = width / NoiseTensor.largestCode(scheme.format)
        return zip(forms, [.noise(codes), .constant(scale)]).map { stored, form in
            (stored.0, Content(stored: stored.1, form: form))
        }
    }
}
