import FacetPlacement
public import FacetQuantization
import FacetTensor

/// Which weights of a checkpoint are quantized, and how: the `quantization_config` of a `config.json`.
///
/// The form is that of the compressed-tensors package: groups of modules, each with targets and the scheme of its
/// weights, and modules that are left out. A target is a module's name, `re:` and a regular expression that matches
/// from the start of the name, or `Linear` for every module that may be quantized.
public struct ModelQuantization: Sendable, Hashable {
    /// Modules that are quantized in the same way.
    public struct Group: Sendable, Hashable {
        /// The modules.
        public let targets: [String]

        /// How their weights are quantized.
        public let scheme: QuantizationScheme

        /// Makes a group.
        public init(targets: [String], scheme: QuantizationScheme) {
            self.targets = targets
            self.scheme = scheme
        }
    }

    /// The groups; a module belongs to the first that names it.
    public let groups: [Group]

    /// Modules that belong to no group whatever the targets say.
    public let ignored: [String]

    /// Makes a description.
    public init(groups: [Group], ignored: [String] = []) {
        self.groups = groups
        self.ignored = ignored
    }

    /// The scheme of each of some weights, by the weight's name; those without a scheme are left out.
    ///
    /// - Parameter names: weights that may be quantized: module names with `.weight` behind them.
    func schemes(of names: [String]) -> [String: QuantizationScheme] {
        let ignored = self.ignored.map(ModuleTarget.init)
        let groups = self.groups.map { (targets: $0.targets.map(ModuleTarget.init), scheme: $0.scheme) }
        var schemes: [String: QuantizationScheme] = [:]
        for name in names {
            let module = WeightName(name).module
            guard !ignored.contains(where: { $0.matches(module) }) else { continue }
            schemes[name] = groups.first { $0.targets.contains { $0.matches(module) } }?.scheme
        }
        return schemes
    }
}

/// A target with its expression compiled.
struct ModuleTarget {
    private enum Form {
        case name(String)
        case expression(Regex<AnyRegexOutput>)
        case everyLinear
        case nothing
    }

    private let form: Form

    init(_ text: String) {
        if text == "Linear" {
            form = .everyLinear
        } else if text.hasPrefix(Self.expressionPrefix) {
            form = Self.expression(text).map { .expression($0) } ?? .nothing
        } else {
            form = .name(text)
        }
    }

    func matches(_ module: String) -> Bool {
        switch form {
        case .name(let name): name == module
        case .expression(let regex): ((try? regex.prefixMatch(in: module)) ?? nil) != nil
        case .everyLinear: true
        case .nothing: false
        }
    }

    /// Whether a target is understood.
    static func isValid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 1000 && (!text.hasPrefix(expressionPrefix) || expression(text) != nil)
    }

    private static let expressionPrefix = "re:"

    private static func expression(_ text: String) -> Regex<AnyRegexOutput>? {
        try? Regex(String(text.dropFirst(expressionPrefix.count)))
    }
}

/// The names of the tensors that belong to a quantized weight.
struct WeightName {
    /// The module: the weight's name without its last part.
    let module: String

    init(_ weight: String) { module = weight.hasSuffix(".weight") ? String(weight.dropLast(7)) : weight }

    /// Codes of a byte each.
    var plain: String { module + ".weight" }
    /// Codes of 4 bits, eight in a 32-bit word.
    var packed: String { module + ".weight_packed" }
    /// Scales.
    var scale: String { module + ".weight_scale" }
    /// The matrix's shape beside packed codes.
    var shape: String { module + ".weight_shape" }

    /// Tensors that say nothing the configuration does not say, or concern activations.
    var ignored: [String] { [shape, module + ".input_scale"] }

    /// The name of the codes in a format.
    func codes(_ scheme: QuantizationScheme) -> String { scheme.format == .int4 ? packed : plain }
}
