import CCPU

/// What a packed matrix stores of each weight.
///
/// The raw value is the name that users write (`--format int8`) and reports print.
public enum PackedFormat: String, Sendable, Hashable, CaseIterable {
    case float32
    case float16
    case bfloat16
    /// e4m3fn, one scale a row.
    case fp8
    /// Codes of 8 bits, one scale a row or a group of 64 or 128 elements of a row.
    case int8
    /// Codes from -8 to 7, one scale a group of 64 or 128 elements of a row.
    case int4

    /// Elements of a row that may share a scale; 0 stands for all of them, or for a format without scales.
    public var groups: [Int] {
        switch self {
        case .float32, .float16, .bfloat16, .fp8: [0]
        case .int8: [0, 64, 128]
        case .int4: [64, 128]
        }
    }

    /// Whether weights are codes that scales multiply.
    public var hasScales: Bool {
        switch self {
        case .float32, .float16, .bfloat16: false
        case .fp8, .int8, .int4: true
        }
    }

    /// Number of the format in the C interface.
    var code: Int32 {
        let code =
            switch self {
            case .float32: CC_PACKED_F32
            case .float16: CC_PACKED_F16
            case .bfloat16: CC_PACKED_BF16
            case .fp8: CC_PACKED_FP8
            case .int8: CC_PACKED_INT8
            case .int4: CC_PACKED_INT4
            }
        return Int32(code)
    }
}

/// Form and size of a packed matrix; known before a byte of it is read.
public struct PackedLayout: Sendable, Hashable {
    /// What is stored of each weight.
    public let format: PackedFormat

    /// Rows of the unpacked matrix, which are columns of a product.
    public let outputs: Int

    /// Columns of the unpacked matrix.
    public let inputs: Int

    /// Elements of a row that share a scale; 0 for all of them.
    public let group: Int

    /// Type of the scales: float32, or bfloat16, which scales of groups may have.
    public let scaleDType: DType

    /// Whether products multiply the second half of the outputs by SiLU of the first.
    public let isGated: Bool

    /// Describes a matrix.
    ///
    /// - Precondition: the sizes are positive, `group` is one of the format's `groups`, `scaleDType` is float32 or, with
    ///   groups, bfloat16, a gated matrix has an even number of outputs.
    public init(
        format: PackedFormat, outputs: Int, inputs: Int, group: Int = 0, scaleDType: DType = .float32,
        isGated: Bool = false
    ) {
        precondition(outputs > 0 && inputs > 0, "a packed matrix cannot be \(outputs) by \(inputs)")
        precondition(format.groups.contains(group), "\(format.rawValue) has no groups of \(group)")
        precondition(
            scaleDType == .float32 || (scaleDType == .bfloat16 && group > 0),
            "scales of groups of \(group) cannot be \(scaleDType)")
        precondition(!isGated || outputs % 2 == 0, "a gated matrix has an even number of outputs, not \(outputs)")
        self.format = format
        self.outputs = outputs
        self.inputs = inputs
        self.group = group
        self.scaleDType = scaleDType
        self.isGated = isGated
    }

    /// Bytes that it takes, rounded up to whole panels of 32 outputs.
    public var byteCount: Int { cc_packed_bytes(description(panels: nil)) }

    /// Scales of one row; 1 for a format without.
    public var groupCount: Int { group == 0 ? 1 : (inputs + group - 1) / group }

    /// Columns of a product.
    public var resultWidth: Int { isGated ? outputs / 2 : outputs }

    /// Outputs that are packed together: parts of a matrix start at multiples of it.
    public static var step: Int { cc_packed_step() }

    /// The matrix in the C interface.
    func description(panels: UnsafeMutableRawPointer?) -> cc_packed {
        cc_packed(
            format: format.code, gated: isGated ? 1 : 0, outputs: outputs, inputs: inputs, group: group,
            scale_type: scaleDType.code, panels: panels)
    }

    /// Elements of the tensor that one row is packed from: for int4, bytes of two codes.
    var sourceWidth: Int { format == .int4 ? (inputs + 1) / 2 : inputs }
}
