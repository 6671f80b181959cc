import FacetCheckpoint
public import FacetPlacement
import FacetQuantization
import FacetTensor

/// How the weights of each part are to be stored; nil keeps them as they are.
public struct ConversionChoice: Sendable, Hashable {
    /// Vision tower and projector.
    public var vision: Precision?
    /// Token embedding, layers and final norm.
    public var decoder: Precision?
    /// The output layer.
    public var output: Precision?

    /// Chooses per part.
    public init(vision: Precision?, decoder: Precision?, output: Precision?) {
        self.vision = vision
        self.decoder = decoder
        self.output = output
    }

    /// One precision for all; the output layer, where small errors change words, is quantized only when it is named.
    public init(_ precision: Precision) {
        self.init(vision: precision, decoder: precision, output: precision.isQuantized ? nil : precision)
    }

    /// The precision of a kind of unit.
    subscript(kind: UnitKind) -> Precision? {
        switch kind {
        case .patchEmbedding, .visionLayer, .projector: vision
        case .tokenEmbedding, .decoderLayer, .finalNorm: decoder
        case .outputLayer: output
        }
    }

    /// The choice as plans see it; parts that stay as they are count as bfloat16.
    var precisions: PrecisionChoice {
        PrecisionChoice(vision: vision ?? .bfloat16, decoder: decoder ?? .bfloat16, output: output ?? .bfloat16)
    }
}

/// What becomes of one tensor.
struct ConversionStep {
    enum Change {
        case none
        case convert(DType)
        case quantize(QuantizationScheme)
    }

    let tensor: CheckpointTensor
    let part: ModelPart?
    let change: Change

    /// The tensors that are written in its place, in this order.
    var items: [SafetensorsWriter.Item] {
        switch change {
        case .none: return [SafetensorsWriter.Item(tensor.name, tensor.dtype, tensor.shape.dimensions)]
        case .convert(let dtype):
            return [SafetensorsWriter.Item(tensor.name, SafetensorsDType(dtype), tensor.shape.dimensions)]
        case .quantize(let scheme):
            let name = WeightName(tensor.name)
            let stored = StoredTensor(shape: tensor.shape, dtype: .float32, file: tensor.file.name)
            var items = QuantizingSource.forms(name, scheme, stored).map { name, form in
                SafetensorsWriter.Item(
                    name, form.dtype.map { SafetensorsDType($0) } ?? tensor.dtype, form.shape.dimensions)
            }
            if scheme.format == .int4 { items.append(SafetensorsWriter.Item(name.shape, .int64, [2])) }
            return items
        }
    }
}
