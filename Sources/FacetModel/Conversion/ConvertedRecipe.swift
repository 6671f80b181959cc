import FacetJSON
import FacetPlacement
import FacetQuantization
import FacetTensor

/// The texts that go with converted weights: `config.json` and the index of shards.
enum ConvertedRecipe {
    /// The original configuration with `quantization_config`, and `torch_dtype` when it is given.
    static func text(_ recipe: JSONValue, _ quantization: ModelQuantization?, torchDType: DType?) -> String {
        var members = (recipe.object?.members ?? [])
            .filter { $0.key != "quantization_config" && !($0.key == "torch_dtype" && torchDType != nil) }
            .map { JSONValue.quoted($0.key) + ": " + $0.value.text }
        if let torchDType { members.append("\"torch_dtype\": " + JSONValue.quoted(torchDType.rawValue)) }
        if let quantization { members.append("\"quantization_config\": " + quantization.json) }
        return "{\n  " + members.joined(separator: ",\n  ") + "\n}\n"
    }

    /// The index of shards.
    static func index(_ shards: [(tensor: String, shard: String)], byteCount: Int) -> String {
        let map = shards.sorted { $0.tensor < $1.tensor }
            .map { "    " + JSONValue.quoted($0.tensor) + ": " + JSONValue.quoted($0.shard) }
        return "{\n  \"metadata\": {\"total_size\": \(byteCount)},\n  \"weight_map\": {\n"
            + map.joined(separator: ",\n") + "\n  }\n}\n"
    }
}

extension ModelQuantization {
    /// The description with every matrix that keeps floating-point numbers among those that are left out.
    func ignoringTheRest(_ inventory: ModelInventory) -> ModelQuantization {
        let schemes = schemes(of: inventory.declarations.filter(\.isQuantizable).map(\.name))
        var ignored: [String] = []
        for declaration in inventory.declarations where declaration.role.isMatrix {
            if schemes[declaration.name] == nil && !ignored.contains(declaration.target) {
                ignored.append(declaration.target)
            }
        }
        return ModelQuantization(groups: groups, ignored: ignored)
    }

    /// The value of `quantization_config`.
    var json: String {
        let formats = Set(groups.map(\.scheme.fileFormat))
        let groups = self.groups.enumerated().map { "\"group_\($0)\": " + $1.json }
        let format = formats.count == 1 ? formats.first ?? "dense" : "mixed-precision"
        return """
            {"quant_method": "\(Self.method)", "format": "\(format)", "quantization_status": "compressed", \
            "config_groups": {\(groups.joined(separator: ", "))}, "ignore": \(Self.list(ignored))}
            """
    }

    fileprivate static func list(_ names: [String]) -> String {
        "[" + names.map(JSONValue.quoted).joined(separator: ", ") + "]"
    }
}

extension ModelQuantization.Group {
    fileprivate var json: String {
        let bits = scheme.format == .int4 ? 4 : 8
        let type = scheme.format == .float8 ? "float" : "int"
        let strategy =
            scheme.groupSize.map { "\"strategy\": \"group\", \"group_size\": \($0)" }
            ?? "\"strategy\": \"channel\""
        return """
            {"targets": \(ModelQuantization.list(targets)), "weights": {"num_bits": \(bits), "type": "\(type)", \
            "symmetric": true, \(strategy), "dynamic": false}, "input_activations": null, \
            "output_activations": null, "format": "\(scheme.fileFormat)"}
            """
    }
}

extension QuantizationScheme {
    /// The convention's name for how the codes are stored.
    fileprivate var fileFormat: String {
        switch format {
        case .int8: "int-quantized"
        case .float8: "float-quantized"
        case .int4: "pack-quantized"
        }
    }
}
