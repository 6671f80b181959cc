public import FacetCheckpoint
public import FacetTensor

/// What can go wrong between a checkpoint folder and logits.
public enum ModelError: Error, Sendable, Hashable {
    /// A configuration file is no JSON object.
    case unreadableConfiguration(file: String, reason: String)
    /// The folder holds another architecture.
    case notGLM4V(file: String, modelType: String)
    /// The folder holds the text-only sibling: the same architecture without a vision tower.
    case textOnly(file: String)
    /// The weights are stored in a quantized form.
    case quantized(file: String, method: String)
    /// The configuration describes quantized weights of a kind that is not implemented.
    case unsupportedQuantization(field: String, file: String, expected: String, got: String)
    /// A tensor of a quantized weight is missing or makes no sense.
    case quantizedWeight(tensor: String, file: String, reason: String)
    /// Weights that are quantized already were to be quantized.
    case alreadyQuantized(source: String)
    /// A field that has no default is missing.
    case missingField(field: String, file: String, expected: String)
    /// A field holds something that makes no sense there.
    case invalidField(field: String, file: String, expected: String, got: String)
    /// A field asks for a variant of the architecture that is not implemented.
    case unsupportedField(field: String, file: String, expected: String, got: String)
    /// Tensors that the configuration calls for are not in the checkpoint.
    case missingTensors(names: [String], source: String)
    /// The checkpoint holds tensors that the model has no use for.
    case unexpectedTensors(names: [String], source: String)
    /// The checkpoint holds the side tensors of a quantization method.
    case quantizedTensors(names: [String], source: String)
    /// A tensor has another shape than the configuration calls for.
    case shapeMismatch(tensor: String, file: String, expected: Shape, got: Shape)
    /// A tensor holds elements that the model cannot compute with.
    case unsupportedWeightDType(tensor: String, file: String, got: String)
    /// Activations were asked for in a type that the model does not compute in.
    case unsupportedActivationDType(DType)
    /// A prompt refers to more pictures than the model can take.
    case tooManyImages(count: Int)
    /// A prompt's image tokens do not match the pictures handed in.
    case imageTokens(reason: String)
    /// A batch that contradicts itself, the limits or the configuration.
    case invalidBatch(reason: String)
    /// A batch refers to a picture whose features are not there.
    case unknownImage(ImageID)
    /// Every slot for picture features is taken.
    case noFeatureSlot(limit: Int)
    /// A placement does not fit the model or the list of devices.
    case placementMismatch(reason: String)
    /// A device has less memory than a placement asks of it.
    case deviceTooSmall(device: DeviceID, needed: Int, available: Int, largest: MemoryTerm)
    /// Loading was given up from outside.
    case loadingCancelled
    /// The checkpoint could not be read.
    case checkpoint(CheckpointError)
    /// A tensor operation failed.
    case tensor(TensorError)
}

extension ModelError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadableConfiguration(let file, let reason):
            "\(file) cannot be read as a configuration: \(reason); fetch the file again."
        case .notGLM4V(let file, let modelType):
            "\(file): model_type is \(modelType), but only GLM-4V-9B (\"chatglm\" with a vision_config) is supported; "
                + "choose a folder of that model."
        case .textOnly(let file):
            "\(file) describes a text-only GLM-4: it has no vision_config; choose the folder of a GLM-4V model."
        case .quantized(let file, let method):
            "\(file): the weights are quantized with \(method), which is not supported, only compressed-tensors is; "
                + "use the original bfloat16 checkpoint, or quantize that with facet quantize."
        case .unsupportedQuantization(let field, let file, let expected, let got):
            "\(file): '\(field)' is \(got), but only \(expected) is implemented; "
                + "use the original bfloat16 checkpoint, or quantize that with facet quantize."
        case .quantizedWeight(let tensor, let file, let reason):
            "\(file): '\(tensor)' \(reason); fetch the folder again, or quantize the original again."
        case .alreadyQuantized(let source):
            "The weights of \(source) are quantized already; give the original checkpoint."
        case .missingField(let field, let file, let expected):
            "\(file): '\(field)' is missing; it must be \(expected)."
        case .invalidField(let field, let file, let expected, let got):
            "\(file): '\(field)' must be \(expected), but is \(got)."
        case .unsupportedField(let field, let file, let expected, let got):
            "\(file): '\(field)' is \(got), but only \(expected) is implemented; use the original GLM-4V-9B checkpoint."
        case .missingTensors(let names, let source):
            "\(source) lacks \(Self.listed(names, "tensor")); fetch the missing files or the whole folder again."
        case .unexpectedTensors(let names, let source):
            "\(source) holds \(Self.listed(names, "unexpected tensor")); "
                + "config.json and the weights do not belong together."
        case .quantizedTensors(let names, let source):
            "\(source) holds \(Self.listed(names, "tensor")) of a kind of quantization that is not "
                + "supported or that config.json does not describe; use the original bfloat16 checkpoint, or quantize "
                + "that with facet quantize."
        case .shapeMismatch(let tensor, let file, let expected, let got):
            "\(file): '\(tensor)' must have shape \(expected), but has \(got); "
                + "config.json and the weights do not belong together."
        case .unsupportedWeightDType(let tensor, let file, let got):
            "\(file): '\(tensor)' holds \(got), but weights must be BF16, F16 or F32; "
                + "use the original bfloat16 checkpoint."
        case .unsupportedActivationDType(let dtype):
            "The model computes in float32 or bfloat16, and in float16 where all devices are cards; \(dtype) is not "
                + "possible here: choose another type."
        case .tooManyImages(let count):
            "The conversation has \(count) pictures, but the model takes one; remove the others."
        case .imageTokens(let reason):
            "The prompt's image tokens are wrong: \(reason)."
        case .invalidBatch(let reason):
            "The batch is invalid: \(reason)."
        case .unknownImage(let image):
            "The features of picture \(image.rawValue) are not there; encode it first."
        case .noFeatureSlot(let limit):
            "All \(limit) places for encoded pictures are taken; release one or raise the limit."
        case .placementMismatch(let reason): "The placement does not fit: \(reason); make a plan for this model."
        case .deviceTooSmall(let device, let needed, let available, let largest):
            "\(device) needs \(needed) bytes, but has \(available), which is \(needed - available) too few; "
                + "most of it, \(largest.byteCount) bytes, is for '\(largest.name)': move units to another device, or lower "
                + "the context length or the batch size."
        case .loadingCancelled: "Loading was cancelled; nothing is left in memory."
        case .checkpoint(let error): error.description
        case .tensor(let error): error.description
        }
    }

    /// The first few names and how many there are.
    private static func listed(_ names: [String], _ noun: String) -> String {
        let shown = names.prefix(4).map { "'\($0)'" }.joined(separator: ", ")
        let rest = names.count > 4 ? " and \(names.count - 4) more" : ""
        return "\(names.count) \(noun)\(names.count == 1 ? "" : "s") (\(shown)\(rest))"
    }
}

/// Runs work that touches tensors and reports its failure as this module's error.
func mappingTensorError<T>(_ work: () throws(TensorError) -> T) throws(ModelError) -> T {
    do { return try work() } catch { throw .tensor(error) }
}
