/// How the elements of a quantized weight are coded.
public enum QuantizedFormat: String, Sendable, Hashable, CaseIterable {
    /// Whole numbers from -128 to 127.
    case int8
    /// The 8-bit floating-point format e4m3fn: no infinity, largest number 448.
    case float8 = "fp8"
    /// Whole numbers from -8 to 7, stored plus 8, two to a byte, the low half first.
    case int4

    /// Type of the tensor that holds the codes.
    public var codeDType: DType {
        switch self {
        case .int8: .int8
        case .float8: .float8E4M3
        case .int4: .uint8
        }
    }

    /// Bytes that the codes of one row take; rows of int4 are filled up to a multiple of 4 bytes.
    public func rowByteCount(inputs: Int) -> Int { self == .int4 ? (inputs + 7) / 8 * 4 : inputs }
}

/// A weight matrix as codes and scales: element `[n, k]` is `code[n, k] · scale[n, k / groupSize]`.
public struct QuantizedMatrix: Sendable {
    /// How the elements are coded.
    public let format: QuantizedFormat

    /// The codes, `[outputs, bytes of a row]`, of `format.codeDType`.
    public let codes: Tensor

    /// The scales, `[outputs, ceil(inputs / groupSize)]`, floating point, positive; a single one for all rows.
    public let scales: Tensor

    /// Columns of a product's result.
    public let outputs: Int

    /// Columns of a product's operand.
    public let inputs: Int

    /// Inputs of a row that share a scale; `inputs` for one scale per row.
    public let groupSize: Int

    /// Describes a matrix.
    ///
    /// - Precondition: a group is not empty, and even for int4 unless it is the whole row.
    public init(
        format: QuantizedFormat, codes: Tensor, scales: Tensor, outputs: Int, inputs: Int, groupSize: Int
    ) {
        precondition(groupSize > 0 && inputs > 0, "a group of \(groupSize) of \(inputs) inputs")
        precondition(format != .int4 || groupSize % 2 == 0 || groupSize >= inputs, "an int4 group of \(groupSize)")
        self.format = format
        self.codes = codes
        self.scales = scales
        self.outputs = outputs
        self.inputs = inputs
        self.groupSize = groupSize
    }

    /// Scales of one row.
    public var groupCount: Int { (inputs + groupSize - 1) / groupSize }

    /// Distance of the scales of two rows; 0 where all share one.
    package var scaleStride: Int { scales.shape.elementCount == 1 ? 0 : groupCount }

    /// The same matrix with its bytes in other memory.
    package func moved(codes: Tensor, scales: Tensor) -> QuantizedMatrix {
        QuantizedMatrix(
            format: format, codes: codes, scales: scales, outputs: outputs, inputs: inputs, groupSize: groupSize)
    }
}
