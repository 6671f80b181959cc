public import FacetCheckpoint
public import FacetTensor

/// Random weights of any configuration, for measurements without a checkpoint.
///
/// Every tensor has memory of its own, so that bandwidth is measured honestly. Norm weights are near 1 and all
/// others small, so that activations stay finite through any number of layers. The same seed gives the same model.
public final class RandomWeights: WeightSource {
    /// The source's name in errors.
    public let location = "random weights"

    /// Names of all tensors.
    public let tensorNames: [String]

    /// Bytes of all tensors.
    public let byteCount: Int

    private let tensors: [String: Tensor]

    /// Makes the tensors that a configuration calls for.
    ///
    /// - Parameter dtype: float32 or bfloat16.
    /// - Throws: `.tensor(.outOfMemory)` with the tensor's name.
    public init(_ configuration: GLM4VConfiguration, dtype: DType = .bfloat16, seed: UInt64 = 1) throws(ModelError) {
        precondition(dtype == .bfloat16 || dtype == .float32, "random weights are bfloat16 or float32")
        var generator = NoiseGenerator(seed: seed)
        let noise = (0..<Self.noiseCount).map { _ in generator.next() }
        var tensors: [String: Tensor] = [:]
        let declarations = try ModelInventory(configuration).declarations
        for (index, declaration) in declarations.enumerated() {
            tensors[declaration.name] = try mappingTensorError { () throws(TensorError) in
                try Self.tensor(declaration, dtype, noise, offset: index &* 7919)
            }
        }
        self.tensors = tensors
        tensorNames = declarations.map(\.name)
        byteCount = declarations.reduce(0) { $0 + $1.shape.elementCount * dtype.byteCount }
    }

    /// What is known of a tensor.
    public func stored(_ name: String) -> StoredTensor? {
        guard let tensor = tensors[name] else { return nil }
        return StoredTensor(
            shape: tensor.shape, dtypeName: SafetensorsDType(tensor.dtype).rawValue, dtype: tensor.dtype,
            byteCount: tensor.byteCount, file: location)
    }

    /// The tensor of a name.
    public func tensor(named name: String) throws(CheckpointError) -> Tensor {
        guard let tensor = tensors[name] else { throw .missingTensor(tensor: name, checkpoint: location) }
        return tensor
    }

    /// Does nothing: dropped pages could not be read again.
    public func advise(_ advice: MemoryAdvice, tensors names: [String]) {}

    /// A prime, so that rows of no width repeat the same noise.
    private static let noiseCount = 1_048_573

    private static func tensor(
        _ declaration: WeightDeclaration, _ dtype: DType, _ noise: [Float], offset: Int
    ) throws(TensorError) -> Tensor {
        let shape = declaration.shape
        let storage = try Storage(allocating: shape.elementCount * dtype.byteCount, label: declaration.name)
        let isFactor = declaration.role == .normWeight
        let center: Float = isFactor ? 1 : 0
        // Uniform noise of this width keeps a product's variance near that of its operand.
        let inputs = max(1, declaration.role.isMatrix ? shape.rowElementCount : shape.elementCount)
        let width: Float = isFactor ? 0.1 : (3 / Float(inputs)).squareRoot()
        let values = (0..<min(shape.elementCount, noise.count)).map { index in
            center + width * noise[(index &+ offset) % noise.count]
        }
        let bytes = UnsafeMutableRawBufferPointer(start: storage.base, count: storage.byteCount)
        switch dtype {
        case .bfloat16: repeatBytes(of: values.map { UInt16(($0.bitPattern &+ 0x8000) >> 16) }, into: bytes)
        default: repeatBytes(of: values, into: bytes)
        }
        return Tensor(storage, shape: shape, dtype: dtype)
    }

    /// Fills `target` with copies of an array, one after another.
    private static func repeatBytes(of elements: [some BitwiseCopyable], into target: UnsafeMutableRawBufferPointer) {
        elements.withUnsafeBytes { source in
            guard !source.isEmpty else { return }
            for start in stride(from: 0, to: target.count, by: source.count) {
                let count = min(source.count, target.count - start)
                UnsafeMutableRawBufferPointer(rebasing: target[start..<start + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
            }
        }
    }
}

/// Uniform numbers from -1 to 1 (the SplitMix64 sequence).
private struct NoiseGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> Float {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Float(mixed >> 40) / Float(1 << 23) - 1
    }
}
