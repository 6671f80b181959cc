import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTensor

/// The value of `--dtype`: the type of activations, or how weights are quantized while loading.
struct TypeOption {
    /// Type of the activations; nil for what the checkpoint says.
    let activations: DType?

    /// How weights are quantized; nil for not at all.
    let weights: PrecisionChoice?

    /// The name as it is shown.
    let name: String?

    /// Whether the type of the activations was asked for, and not only that of the weights or nothing at all.
    var namesActivations: Bool { activations != nil && weights == nil }

    /// Reads `float32`, `bfloat16`, `float16`, `int8`, `vision=int8,decoder=int4`; nil and `auto` leave the choice.
    ///
    /// - Throws: `CommandError.invalidOption`.
    init(_ name: String?, option: String = "--dtype") throws {
        guard let name, name != "auto" else {
            (activations, weights, self.name) = (nil, nil, nil)
            return
        }
        self.name = name
        let aliases = ["bf16": DType.bfloat16, "fp32": .float32, "f32": .float32, "fp16": .float16, "f16": .float16]
        if let dtype = aliases[name] ?? DType(rawValue: name), dtype.isFloatingPoint {
            (activations, weights) = (dtype, nil)
            return
        }
        let expected = "auto, float32, bfloat16, float16, int8, int4 or fp8, or types by part"
        guard let choice = try? PrecisionText.parse(name, fallback: .bfloat16, input: option) else {
            throw CommandError.invalidOption(name: option, expected: expected, got: "'\(name)'")
        }
        let parts = [choice.vision, choice.decoder, choice.output]
        guard parts.contains(where: \.isQuantized), parts.allSatisfy({ $0 == .bfloat16 || $0.isStorable }) else {
            throw CommandError.invalidOption(name: option, expected: expected, got: "'\(name)'")
        }
        (activations, weights) = (.bfloat16, choice)
    }
}

extension ModelFolder {
    /// A type of activations by its name.
    ///
    /// - Throws: `CommandError.invalidOption`.
    static func dtype(_ name: String?) throws -> DType? {
        let type = try TypeOption(name)
        guard type.weights == nil else {
            throw CommandError.invalidOption(
                name: "--dtype", expected: "auto, float32, bfloat16 or float16", got: "'\(name ?? "")'")
        }
        return type.activations
    }
}

extension Precision {
    /// Whether weights can be quantized to it.
    var isStorable: Bool {
        switch self {
        case .int8, .int8Groups, .int4, .float8: true
        case .float32, .bfloat16, .float16, .float8Blocks: false
        }
    }
}
