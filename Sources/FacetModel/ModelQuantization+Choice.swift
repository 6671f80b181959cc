public import FacetPlacement
public import FacetQuantization
import FacetTensor

extension QuantizationScheme {
    /// The scheme of a precision; nil for one that is not quantized, or that only plans know.
    public init?(_ precision: Precision) {
        switch precision {
        case .int8: self.init(QuantizedFormat.int8)
        case .int8Groups(let size): self.init(QuantizedFormat.int8, groupSize: size)
        case .float8: self.init(QuantizedFormat.float8)
        case .int4(let group, _): self.init(QuantizedFormat.int4, groupSize: group >= Self.wholeRow ? nil : group)
        case .float32, .bfloat16, .float16, .float8Blocks: return nil
        }
    }

    /// The precision that takes as many bytes.
    public var precision: Precision {
        switch format {
        case .int8: groupSize.map { .int8Groups(of: $0) } ?? .int8
        case .float8: .float8
        case .int4: .int4(group: groupSize ?? Self.wholeRow, scaleBytes: scaleDType.byteCount)
        }
    }

    /// Stands for a group as long as any row.
    private static let wholeRow = 1 << 30
}

extension GLM4VConfiguration {
    /// The recipe of the same model with weights quantized as a choice says; nil when it quantizes nothing.
    ///
    /// - Throws: what assembling the model without weights throws.
    public func quantized(_ choice: PrecisionChoice) throws(ModelError) -> GLM4VConfiguration? {
        let inventory = try ModelInventory(self)
        var targets: [QuantizationScheme: [String]] = [:]
        var order: [QuantizationScheme] = []
        for declaration in inventory.declarations where declaration.isQuantizable {
            guard let scheme = QuantizationScheme(choice[declaration.unit.kind]) else { continue }
            let target = declaration.target
            if targets[scheme] == nil { order.append(scheme) }
            if !(targets[scheme]?.contains(target) ?? false) { targets[scheme, default: []].append(target) }
        }
        guard !order.isEmpty else { return nil }
        return withQuantization(
            ModelQuantization(groups: order.map { ModelQuantization.Group(targets: targets[$0] ?? [], scheme: $0) }))
    }

    /// How the weights of each part are stored, as plans count it: the scheme of the part's first quantized matrix, or
    /// the type that the rest was published in.
    public func storedPrecision() throws(ModelError) -> PrecisionChoice {
        let published: Precision =
            switch publishedDType {
            case .float32: .float32
            case .float16: .float16
            default: .bfloat16
            }
        guard quantization != nil else { return PrecisionChoice(published) }
        let inventory = try ModelInventory(self)
        func precision(_ kind: UnitKind) -> Precision {
            let own = inventory.declarations.filter { $0.unit.kind == kind && $0.isQuantizable }
            return own.compactMap { inventory.schemes[$0.name] }.first?.precision ?? published
        }
        return PrecisionChoice(
            vision: precision(.visionLayer), decoder: precision(.decoderLayer), output: precision(.outputLayer))
    }
}

extension WeightDeclaration {
    /// Whether this is the matrix of a product that is not a convolution's: what quantization is for.
    var isQuantizable: Bool {
        role.isMatrix && shape.rank == 2 && unit.kind != .patchEmbedding && unit.kind != .tokenEmbedding
    }

    /// The target that stands for this module in every layer.
    var target: String {
        let parts = WeightName(name).module.split(separator: ".")
        guard parts.contains(where: { Int($0) != nil }) else { return parts.joined(separator: ".") }
        return "re:" + parts.map { Int($0) == nil ? String($0) : "\\d+" }.joined(separator: "\\.") + "$"
    }
}
