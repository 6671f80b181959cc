import FacetCheckpoint
import FacetQuantization
import FacetTensor

/// How a source holds a declared tensor: as it is, or as codes and scales.
enum StoredWeight {
    /// One tensor of floating-point numbers.
    case dense(StoredTensor)
    /// Codes and scales of a matrix.
    case quantized(StoredQuantizedWeight)

    /// Finds a declared tensor in a source by what the headers say.
    ///
    /// - Parameter scheme: how the configuration says that the weight is quantized, if it does.
    /// - Throws: what is wrong with it: `.missingTensors`, `.shapeMismatch`, `.unsupportedWeightDType`,
    ///   `.quantizedWeight`.
    init(
        _ declaration: WeightDeclaration, _ scheme: QuantizationScheme?, in source: any WeightSource
    ) throws(ModelError) {
        let names = WeightName(declaration.name)
        if let scheme, names.isQuantized(scheme, in: source) {
            self = .quantized(try StoredQuantizedWeight(declaration, scheme, in: source))
            return
        }
        guard let stored = source.stored(declaration.name) else {
            throw .missingTensors(names: [declaration.name], source: source.location)
        }
        if let problem = declaration.problem(with: stored) { throw problem }
        self = .dense(stored)
    }

    /// What the source holds for it.
    var tensors: [StoredTensor] {
        switch self {
        case .dense(let stored): [stored]
        case .quantized(let weight): [weight.codes, weight.scales]
        }
    }
}

/// A quantized matrix as the headers describe it, checked against what the configuration calls for.
struct StoredQuantizedWeight {
    let scheme: QuantizationScheme
    let outputs: Int
    let inputs: Int
    let codes: StoredTensor
    let scales: StoredTensor
    let names: WeightName

    init(
        _ declaration: WeightDeclaration, _ scheme: QuantizationScheme, in source: any WeightSource
    ) throws(ModelError) {
        names = WeightName(declaration.name)
        self.scheme = scheme
        (outputs, inputs) = (declaration.shape[0], declaration.shape[1])
        let codesName = names.codes(scheme)
        guard let codes = source.stored(codesName) else {
            let other = scheme.format == .int4 ? names.plain : names.packed
            throw .quantizedWeight(
                tensor: codesName, file: source.location,
                reason:
                    "is missing beside '\(source.stored(other) == nil ? names.scale : other)', but config.json says "
                    + "that the weights are \(scheme)")
        }
        guard let scales = source.stored(names.scale) else {
            throw .quantizedWeight(
                tensor: names.scale, file: source.location, reason: "is missing beside '\(codesName)'")
        }
        (self.codes, self.scales) = (codes, scales)
        let (expectedDType, columns) =
            scheme.format == .int4 ? (DType.int32, (inputs + 7) / 8) : (scheme.format.codeDType, inputs)
        guard codes.dtype == expectedDType else {
            throw .quantizedWeight(
                tensor: codesName, file: codes.file,
                reason: "must hold \(SafetensorsDType(expectedDType)) for \(scheme), but holds \(codes.dtypeName)")
        }
        guard codes.shape == [outputs, columns] else {
            throw .shapeMismatch(
                tensor: codesName, file: codes.file, expected: [outputs, columns], got: codes.shape)
        }
        guard let dtype = scales.dtype, dtype.isFloatingPoint else {
            throw .quantizedWeight(
                tensor: names.scale, file: scales.file,
                reason: "must hold F32, BF16 or F16, but holds \(scales.dtypeName)")
        }
        let groups = scheme.groupCount(inputs: inputs)
        let isWhole = scheme.groupSize == nil && scales.shape.elementCount == 1
        guard isWhole || scales.shape == [outputs, groups] || (groups == 1 && scales.shape == [outputs]) else {
            throw .shapeMismatch(
                tensor: names.scale, file: scales.file, expected: [outputs, groups], got: scales.shape)
        }
    }

    /// The matrix, given where its tensors are.
    func matrix(codes: Tensor, scales: Tensor) -> QuantizedMatrix {
        let bytes = Tensor(
            codes.storage, byteOffset: codes.byteOffset,
            shape: [outputs, scheme.format.rowByteCount(inputs: inputs)], dtype: scheme.format.codeDType)
        return QuantizedMatrix(
            format: scheme.format, codes: bytes, scales: scales, outputs: outputs, inputs: inputs,
            groupSize: scheme.groupSize(inputs: inputs))
    }

    /// Reads the matrix for `bind` of a backend, and checks its scales.
    ///
    /// - Throws: `.quantizedWeight` for a scale that is not a positive number, `.checkpoint`.
    func matrix(from source: any WeightSource, for backend: any Backend) throws(ModelError) -> QuantizedMatrix {
        let codes: Tensor, scales: Tensor
        do {
            codes = try source.tensor(named: names.codes(scheme), for: backend)
            scales = try source.tensor(named: names.scale)
        } catch { throw .checkpoint(error) }
        try names.check(scales, file: self.scales.file)
        return matrix(codes: codes, scales: scales)
    }
}

extension WeightName {
    /// How the names of scales end.
    static let scaleSuffix = ".weight_scale"

    /// Checks that every scale is a positive, finite number.
    ///
    /// - Throws: `.quantizedWeight`.
    func check(_ scales: Tensor, file: String) throws(ModelError) {
        guard let index = scales.firstScaleThatIsNoScale() else { return }
        throw .quantizedWeight(
            tensor: scale, file: file, reason: "must hold positive, finite numbers, but element \(index) is none")
    }

    /// Reads and checks the scales of a name.
    static func checkScales(_ name: String, in source: any WeightSource) throws(ModelError) {
        let scales: Tensor
        do { scales = try source.tensor(named: name) } catch { throw .checkpoint(error) }
        let module = String(name.dropLast(scaleSuffix.count))
        try WeightName(module + ".weight").check(scales, file: source.stored(name)?.file ?? source.location)
    }

    /// Whether a source holds quantized codes of this weight, or anything that belongs to them.
    func isQuantized(_ scheme: QuantizationScheme, in source: any WeightSource) -> Bool {
        if source.stored(scale) != nil || source.stored(packed) != nil { return true }
        guard let dtype = source.stored(plain)?.dtype else { return source.stored(plain) != nil }
        return !dtype.isFloatingPoint
    }
}

extension Tensor {
    /// Index of the first element that is not positive and finite, in host memory.
    fileprivate func firstScaleThatIsNoScale() -> Int? {
        let bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
        switch dtype {
        case .float32:
            return (0..<shape.elementCount).first { index in
                let scale = bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                return !(scale > 0 && scale.isFinite)
            }
        case .bfloat16, .float16:
            // Positive numbers of both types are the bit patterns from 1 to below that of infinity.
            let infinity: UInt16 = dtype == .bfloat16 ? 0x7F80 : 0x7C00
            return (0..<shape.elementCount).first { index in
                let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                return bits == 0 || bits >= infinity
            }
        default: return 0
        }
    }
}
