public import FacetPlacement
public import FacetQuantization
import FacetTensor

/// Which tensors a configuration calls for; found by assembling the model without any weights.
///
/// The names are therefore those that the layers themselves ask for, and are written nowhere else.
public struct ModelInventory: Sendable {
    /// Every tensor of the model, in the order in which the layers ask for them.
    public let declarations: [WeightDeclaration]

    /// How the configuration says that weights are quantized, by the weight's name; those without a scheme are not.
    public let schemes: [String: QuantizationScheme]

    /// Lists what a configuration calls for; reads nothing.
    public init(_ configuration: GLM4VConfiguration) throws(ModelError) {
        let survey = try WeightSurvey()
        _ = try Network(Weights(survey), configuration)
        declarations = survey.declarations
        let quantizable = survey.declarations.filter(\.isQuantizable).map(\.name)
        schemes = configuration.quantization?.schemes(of: quantizable) ?? [:]
    }

    /// Elements of all tensors.
    public var parameterCount: Int { declarations.reduce(0) { $0 + $1.shape.elementCount } }

    /// The names of each unit's tensors in a source: codes and scales in the place of weights that are quantized there.
    func namesByUnit(in source: any WeightSource) -> [UnitName: [String]] {
        Dictionary(grouping: declarations, by: \.unit).mapValues { $0.flatMap { names(of: $0, in: source) } }
    }

    private func names(of declaration: WeightDeclaration, in source: any WeightSource) -> [String] {
        let names = WeightName(declaration.name)
        guard let scheme = schemes[declaration.name], names.isQuantized(scheme, in: source) else {
            return [declaration.name]
        }
        return [names.codes(scheme), names.scale]
    }

    /// How many bytes each unit's weights take, as they are stored in a source.
    ///
    /// Tensors that the source lacks count as nothing.
    public func weightSizes(in source: any WeightSource) -> [UnitName: UnitWeightSize] {
        namesByUnit(in: source).mapValues { names in
            let packing = UnitPacking(names, in: source)
            return UnitWeightSize(byteCount: packing.tensorByteCount, packedByteCount: packing.byteCount)
        }
    }
}

/// Writes down what the layers ask for and hands out empty tensors.
private final class WeightSurvey: WeightBinder {
    private(set) var declarations: [WeightDeclaration] = []
    private let empty: Tensor

    init() throws(ModelError) {
        empty = try mappingTensorError { () throws(TensorError) in
            Tensor(try Storage(allocating: 0, label: "inventory"), shape: [0], dtype: .float32)
        }
    }

    func linear(
        _ weight: WeightDeclaration, bias: WeightDeclaration?, outputs: Int, inputs: Int
    ) throws(ModelError) -> LinearWeights {
        declarations.append(weight)
        if let bias { declarations.append(bias) }
        return LinearWeights(weight: empty, bias: bias == nil ? nil : empty, outputs: outputs, inputs: inputs)
    }

    func parameter(_ declaration: WeightDeclaration, as shape: Shape) throws(ModelError) -> Tensor {
        declarations.append(declaration)
        return empty
    }

    func alternatives(for unit: UnitName) -> [any WeightBinder] { [self] }
}

/// A source compared with what a configuration calls for, without reading weights.
public struct InventoryReport: Sendable {
    /// Sums over one part of the model, as found in the source.
    public struct Part: Sendable, Hashable {
        /// The part.
        public let part: ModelPart
        /// Tensors of the part that the source has.
        public internal(set) var tensorCount = 0
        /// Their elements.
        public internal(set) var parameterCount = 0
        /// Their bytes.
        public internal(set) var byteCount = 0
        /// Their bytes by the source's name of the dtype.
        public internal(set) var byteCountByDType: [String: Int] = [:]
    }

    /// The parts in the order of execution.
    public let parts: [Part]

    /// Tensors that the configuration calls for and the source lacks.
    public let missing: [String]

    /// Tensors of the source that the model has no use for, quantization's side tensors excepted.
    public let unexpected: [String]

    /// Side tensors of a quantization method.
    public let quantized: [String]

    /// Tensors with another shape, or with elements that cannot be computed with.
    public let mismatches: [ModelError]

    private let location: String

    /// Compares a source with the inventory of a configuration.
    public init(_ inventory: ModelInventory, _ source: any WeightSource) {
        var parts = ModelPart.allCases.map { Part(part: $0) }
        var missing: [String] = []
        var mismatches: [ModelError] = []
        var known = Self.ignoredNames
        for declaration in inventory.declarations {
            let scheme = inventory.schemes[declaration.name]
            let name = WeightName(declaration.name)
            known.formUnion([declaration.name] + (scheme.map { [name.codes($0), name.scale] + name.ignored } ?? []))
            do throws(ModelError) {
                let weight = try StoredWeight(declaration, scheme, in: source)
                for index in parts.indices where parts[index].part == declaration.unit.part {
                    parts[index].add(weight, declaration.shape.elementCount)
                }
            } catch .missingTensors(let names, _) {
                missing += names
            } catch {
                mismatches.append(error)
                for index in parts.indices where parts[index].part == declaration.unit.part {
                    source.stored(declaration.name).map { parts[index].add(.dense($0), $0.shape.elementCount) }
                }
            }
        }
        let others = source.tensorNames.filter { !known.contains($0) }
        self.parts = parts
        self.missing = missing
        self.mismatches = mismatches
        quantized = others.filter(Self.isQuantizationName)
        unexpected = others.filter { !Self.isQuantizationName($0) }
        location = source.location
    }

    /// Throws the gravest difference between the source and the inventory, if there is any.
    public func check() throws(ModelError) {
        if !quantized.isEmpty { throw .quantizedTensors(names: quantized, source: location) }
        if let mismatch = mismatches.first { throw mismatch }
        if !missing.isEmpty { throw .missingTensors(names: missing, source: location) }
        if !unexpected.isEmpty { throw .unexpectedTensors(names: unexpected, source: location) }
    }

    /// Tensors that published checkpoints hold and the model computes itself, more exactly.
    static let ignoredNames: Set<String> = ["transformer.rotary_pos_emb.inv_freq"]

    /// Last components that quantization tools add beside or instead of `weight`.
    private static let quantizationSuffixes: Set<String> = [
        "weight_scale", "weight_scale_inv", "weight_zero_point", "weight_packed", "weight_shape", "input_scale",
        "qweight", "qzeros", "scales", "g_idx", "absmax", "quant_map", "nested_absmax", "nested_quant_map", "SCB",
        "weight_format", "zeros",
    ]

    private static func isQuantizationName(_ name: String) -> Bool {
        let last = name.split(separator: ".").last.map(String.init) ?? name
        return quantizationSuffixes.contains(last) || last.hasPrefix("quant_state")
    }
}

extension InventoryReport.Part {
    fileprivate mutating func add(_ weight: StoredWeight, _ parameters: Int) {
        parameterCount += parameters
        for stored in weight.tensors {
            tensorCount += 1
            byteCount += stored.byteCount
            byteCountByDType[stored.dtypeName, default: 0] += stored.byteCount
        }
    }
}
