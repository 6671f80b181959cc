/// The type of a tensor's elements.
///
/// The raw value is the name users write (`--dtype bfloat16`) and reports print.
public enum DType: String, Sendable, Hashable, CaseIterable {
    case float32
    case float16
    case bfloat16
    case int32
    case uint8
    /// Codes of quantized weights.
    case int8
    /// Codes of quantized weights: 8-bit floating point with 4 bits of exponent and 3 of fraction (e4m3fn).
    case float8E4M3 = "float8_e4m3fn"

    /// Bytes that one element takes.
    public var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .uint8, .int8, .float8E4M3: 1
        }
    }

    /// Whether the elements are floating-point numbers that stand for themselves; float8 codes need a scale.
    public var isFloatingPoint: Bool {
        switch self {
        case .float32, .float16, .bfloat16: true
        case .int32, .uint8, .int8, .float8E4M3: false
        }
    }
}

extension DType: CustomStringConvertible {
    public var description: String { rawValue }
}
