import FacetTensor

/// A type that activations may have on a card.
enum ActivationType: String, CaseIterable {
    case float32 = "f32"
    case float16 = "f16"
    case bfloat16 = "bf16"

    /// Nil for types that are no activations.
    init?(_ dtype: DType) {
        switch dtype {
        case .float32: self = .float32
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int32, .uint8, .int8, .float8E4M3: return nil
        }
    }
}

extension DType {
    /// Number of a floating-point type in the kernels' parameters (`types.cuh`).
    ///
    /// - Precondition: the type is floating point.
    var kernelCode: Int32 {
        switch self {
        case .float32: 0
        case .float16: 1
        case .bfloat16: 2
        case .int32, .uint8, .int8, .float8E4M3: preconditionFailure("\(self) has no arithmetic")
        }
    }
}

extension LinearEpilogue {
    /// Number of the epilogue in the kernels' parameters (`types.cuh`).
    var kernelCode: Int32 {
        switch self {
        case .store: 0
        case .gelu: 1
        case .addResidual: 2
        }
    }
}

extension NormEpilogue {
    /// Number of the epilogue in the kernels' parameters (`types.cuh`).
    var kernelCode: Int32 {
        switch self {
        case .store: 0
        case .gelu: 1
        case .addResidual: 2
        }
    }
}
