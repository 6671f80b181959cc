import CCUDA
public import FacetTensor

/// What decides how a product is computed: sizes, types, and what happens to the sum.
public struct ProductForm: Sendable, Hashable {
    /// Rows of the activations.
    public let rows: Int

    /// Columns of the activations and of the weights.
    public let inputs: Int

    /// Rows of the weights, columns of the result.
    public let outputs: Int

    /// Type of activations and weights: bfloat16, float16, float32, or float8E4M3 with inputs and outputs that are
    /// multiples of 16, no bias and a float32 result.
    public let operandType: DType

    /// Type of the result: that of the operands, or float32.
    public let resultType: DType

    /// Type of the bias; nil for none.
    public let biasType: DType?

    /// Whether the result is added to what is there.
    public let accumulates: Bool

    /// Names a form.
    public init(
        rows: Int, inputs: Int, outputs: Int, operandType: DType, resultType: DType, biasType: DType? = nil,
        accumulates: Bool = false
    ) {
        self.rows = rows
        self.inputs = inputs
        self.outputs = outputs
        self.operandType = operandType
        self.resultType = resultType
        self.biasType = biasType
        self.accumulates = accumulates
    }
}

extension ProductForm: CustomStringConvertible {
    public var description: String {
        "[\(rows), \(inputs)] · [\(outputs), \(inputs)]ᵀ of \(operandType) into \(resultType)"
            + (biasType.map { " with a bias of \($0)" } ?? "") + (accumulates ? ", added" : "")
    }
}

extension DType {
    /// The library's name of the type; nil for those that it does not multiply here.
    var cudaType: cudaDataType_t? {
        switch self {
        case .float32: CUDA_R_32F
        case .float16: CUDA_R_16F
        case .bfloat16: CUDA_R_16BF
        case .float8E4M3: CUDA_R_8F_E4M3
        case .int32, .uint8, .int8: nil
        }
    }
}
