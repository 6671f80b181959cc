public import FacetTensor

/// The element types that a safetensors header can name; the raw value is the name in the file.
///
/// Types of less than one byte (`F4`, `F6_…`) are not listed: no checkpoint of a supported model has them, and a
/// header that names one is refused as unknown.
public enum SafetensorsDType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case float8E4M3 = "F8_E4M3"
    case float8E5M2 = "F8_E5M2"
    case float8E8M0 = "F8_E8M0"
    case complex64 = "C64"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"

    /// Bytes that one element takes in the file.
    public var byteCount: Int {
        switch self {
        case .float64, .complex64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .float8E8M0, .int8, .uint8, .bool: 1
        }
    }

    /// The same type as a tensor's, when tensors have it.
    public var tensorDType: DType? {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        case .int32: .int32
        case .uint8: .uint8
        case .int8: .int8
        case .float8E4M3: .float8E4M3
        default: nil
        }
    }

    /// The file's name for a tensor's type.
    public init(_ dtype: DType) {
        switch dtype {
        case .float32: self = .float32
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int32: self = .int32
        case .uint8: self = .uint8
        case .int8: self = .int8
        case .float8E4M3: self = .float8E4M3
        }
    }
}

extension SafetensorsDType: CustomStringConvertible {
    public var description: String { rawValue }
}
