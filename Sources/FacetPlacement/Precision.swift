/// How the weights of a unit are stored.
///
/// Only linear weights are quantized; norms, biases, convolutions, positions and tables keep 16 bits.
public enum Precision: Sendable, Hashable {
    /// 4 bytes everywhere.
    case float32
    /// 2 bytes everywhere.
    case bfloat16
    /// 2 bytes everywhere, for devices without bfloat16.
    case float16
    /// 1 byte, and a scale of 4 bytes per output channel.
    case float8
    /// 1 byte, and a scale of 4 bytes per square block of this side.
    case float8Blocks(side: Int)
    /// 1 byte, and a scale of 4 bytes per output channel.
    case int8
    /// 1 byte, and a scale of 2 bytes per group of this many inputs.
    case int8Groups(of: Int)
    /// Half a byte, and a scale per group of this many inputs.
    case int4(group: Int, scaleBytes: Int = 2)

    /// Bytes of a linear weight, scales included.
    public func byteCount(of shape: LinearShape) -> Int {
        let (rows, columns) = (shape.outputs, shape.inputs)
        switch self {
        case .float32: return 4 * rows * columns
        case .bfloat16, .float16: return 2 * rows * columns
        case .float8, .int8: return rows * columns + 4 * rows
        case .float8Blocks(let side): return rows * columns + 4 * rows.dividedUp(by: side) * columns.dividedUp(by: side)
        case .int8Groups(let size): return rows * columns + 2 * rows * columns.dividedUp(by: size)
        case .int4(let group, let scaleBytes):
            // Eight elements share a word of 4 bytes.
            return 4 * rows * columns.dividedUp(by: 8) + scaleBytes * rows * columns.dividedUp(by: group)
        }
    }

    /// Bytes of an element that is never quantized, and of an activation.
    public var elementByteCount: Int { self == .float32 ? 4 : 2 }

    /// Whether linear weights are stored in fewer than 16 bits.
    public var isQuantized: Bool {
        switch self {
        case .float32, .bfloat16, .float16: false
        case .float8, .float8Blocks, .int8, .int8Groups, .int4: true
        }
    }
}

extension Precision: CustomStringConvertible {
    public var description: String {
        switch self {
        case .float32: "float32"
        case .bfloat16: "bfloat16"
        case .float16: "float16"
        case .float8: "fp8"
        case .float8Blocks(let side): "fp8 (blocks of \(side))"
        case .int8: "int8"
        case .int8Groups(let size): "int8 (groups of \(size))"
        case .int4(let group, _): "int4 (groups of \(group))"
        }
    }
}

/// A precision for each part of the model that may differ.
public struct PrecisionChoice: Sendable, Hashable {
    /// Vision layers and the projector.
    public var vision: Precision
    /// Decoder layers.
    public var decoder: Precision
    /// The output layer.
    public var output: Precision

    /// Chooses per part; the output layer keeps 16 bits unless it is named.
    public init(vision: Precision, decoder: Precision, output: Precision? = nil) {
        self.vision = vision
        self.decoder = decoder
        self.output = output ?? (decoder.isQuantized ? .bfloat16 : decoder)
    }

    /// The same precision in both chains.
    public init(_ precision: Precision) { self.init(vision: precision, decoder: precision) }

    /// The precision of a kind of unit.
    public subscript(kind: UnitKind) -> Precision {
        switch kind {
        case .patchEmbedding, .visionLayer, .projector: vision
        case .tokenEmbedding, .decoderLayer, .finalNorm: decoder
        case .outputLayer: output
        }
    }

    /// Bytes of an activation of the decoder.
    public var activationByteCount: Int { decoder.elementByteCount }
}

extension PrecisionChoice: CustomStringConvertible {
    public var description: String {
        vision == decoder ? "\(decoder)" : "vision \(vision), decoder \(decoder)"
    }
}

/// How keys and values are stored.
public enum CachePrecision: String, Sendable, Hashable, CaseIterable {
    /// 4 bytes an element.
    case float32
    /// 2 bytes an element.
    case bfloat16
    /// 1 byte an element, and a scale of 4 bytes per token and head.
    case float8 = "fp8"
    /// 1 byte an element, and a scale of 4 bytes per token and head.
    case int8

    /// Whether elements are bytes with a scale.
    public var isQuantized: Bool { self == .float8 || self == .int8 }

    /// Bytes of one token's keys (or values) of one head.
    public func byteCount(headDimension: Int) -> Int {
        switch self {
        case .float32: 4 * headDimension
        case .bfloat16: 2 * headDimension
        case .float8, .int8: headDimension + 4
        }
    }
}

extension Int {
    /// The quotient, rounded up.
    func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
