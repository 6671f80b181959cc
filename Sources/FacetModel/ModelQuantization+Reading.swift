import FacetJSON
import FacetQuantization
import FacetTensor

extension ModelQuantization {
    /// Reads `quantization_config`.
    ///
    /// - Throws: `.quantized` for another method, `.unsupportedQuantization` for a scheme that is not implemented,
    ///   `.missingField`, `.invalidField`.
    init(_ reader: ConfigurationReader) throws(ModelError) {
        let method = try reader.string("quant_method") ?? "an unnamed method"
        guard method == Self.method else { throw .quantized(file: reader.file, method: method) }
        let format = try reader.string("format") ?? "dense"
        guard Self.formats.contains(format) else {
            throw reader.unsupportedQuantization("format", expected: Self.formats.joined(separator: ", "), got: format)
        }
        if let status = try reader.string("quantization_status"), status != "compressed" {
            throw reader.unsupportedQuantization("quantization_status", expected: "compressed", got: status)
        }
        guard let groups = try reader.nested("config_groups") else {
            throw reader.missing("config_groups", "an object of groups")
        }
        var found: [Group] = []
        for name in groups.keys {
            guard let group = try groups.nested(name), let weights = try group.nested("weights") else { continue }
            let targets = try group.targets("targets")
            found.append(Group(targets: targets, scheme: try Self.scheme(weights)))
        }
        self.init(groups: found, ignored: try reader.targets("ignore"))
    }

    /// The value of `quant_method`.
    static let method = "compressed-tensors"

    private static let formats = [
        "int-quantized", "float-quantized", "naive-quantized", "pack-quantized", "mixed-precision",
    ]

    private static func scheme(_ reader: ConfigurationReader) throws(ModelError) -> QuantizationScheme {
        let bits = try reader.integer("num_bits", default: 8, in: 1...64)
        let type = try reader.string("type") ?? "int"
        let format: QuantizedFormat
        switch (type, bits) {
        case ("int", 8): format = .int8
        case ("int", 4): format = .int4
        case ("float", 8): format = .float8
        default:
            throw reader.unsupportedQuantization(
                "num_bits", expected: "int of 8 or 4 bits, or float of 8 bits", got: "\(type) of \(bits) bits")
        }
        guard try reader.bool("symmetric", default: true) else {
            throw reader.unsupportedQuantization("symmetric", expected: "true (no zero points)", got: "false")
        }
        if let order = reader.value("actorder"), order.bool != false, order.string != "weight", order.string != "static"
        {
            throw reader.unsupportedQuantization(
                "actorder", expected: "null or \"weight\" (groups of neighboring inputs)", got: order.text)
        }
        let size = reader.value("group_size")
        switch try reader.string("strategy") ?? (size == nil ? "tensor" : size?.integer == -1 ? "channel" : "group") {
        case "tensor", "channel": return QuantizationScheme(format)
        case "group":
            let group = try reader.integer("group_size", in: 1...ConfigurationLimits.width)
            guard group % 8 == 0 else {
                throw reader.unsupportedQuantization("group_size", expected: "a multiple of 8", got: "\(group)")
            }
            return QuantizationScheme(format, groupSize: group)
        case let other:
            throw reader.unsupportedQuantization("strategy", expected: "channel, group or tensor", got: other)
        }
    }
}

extension ConfigurationReader {
    /// Targets of modules; none when the field is missing.
    fileprivate func targets(_ key: String) throws(ModelError) -> [String] {
        guard let value = value(key) else { return [] }
        let expected = "a list of module names, each at most 1000 bytes, or 're:' and a valid regular expression"
        guard let list = value.array else { throw invalid(key, expected, value) }
        var targets: [String] = []
        for element in list {
            guard let target = element.string, ModuleTarget.isValid(target) else {
                throw invalid(key, expected, element)
            }
            targets.append(target)
        }
        return targets
    }

    /// The error of a quantization that is not implemented.
    fileprivate func unsupportedQuantization(_ key: String, expected: String, got: String) -> ModelError {
        .unsupportedQuantization(
            field: fullName(key), file: file, expected: expected, got: String(got.prefix(60)))
    }
}
