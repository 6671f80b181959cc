/// A linear layer's weights as a backend holds them: `y = x · weightᵀ + bias`.
public struct LinearWeights: Sendable {
    /// The matrix, `[outputs, inputs]`, in the layout its backend chose; the codes of a quantized one.
    public let weight: Tensor

    /// The matrix with its scales when it is quantized.
    public let quantized: QuantizedMatrix?

    /// The matrix as the CPU backend lays it out for speed; nil where it is used as it is stored.
    let packed: PackedMatrix?

    /// Added to every row, `[outputs]`; nil for none.
    public let bias: Tensor?

    /// Columns of the result.
    public let outputs: Int

    /// Columns of the operand.
    public let inputs: Int

    /// Describes bound weights; called by backends.
    public init(weight: Tensor, bias: Tensor?, outputs: Int, inputs: Int) {
        self.weight = weight
        quantized = nil
        packed = nil
        self.bias = bias
        self.outputs = outputs
        self.inputs = inputs
    }

    /// Describes bound quantized weights; called by backends.
    public init(quantized: QuantizedMatrix, bias: Tensor?) {
        weight = quantized.codes
        self.quantized = quantized
        packed = nil
        self.bias = bias
        outputs = quantized.outputs
        inputs = quantized.inputs
    }

    /// Describes packed weights; what they were packed from is not kept.
    init(packed: PackedMatrix, bias: Tensor?) {
        weight = packed.bytes
        quantized = nil
        self.packed = packed
        self.bias = bias
        outputs = packed.layout.outputs
        inputs = packed.layout.inputs
    }
}

/// What a product does with its float32 sums.
public enum LinearEpilogue: Sendable, Hashable {
    /// Stores the sum.
    case store
    /// Stores `GELU(sum)`, the exact form with the error function.
    case gelu
    /// Adds the sum to what the output holds.
    case addResidual
}

/// Weights of an RMSNorm.
public struct RMSNormWeights: Sendable {
    /// Factor per column, `[width]`.
    public let weight: Tensor

    /// Added to the mean square.
    public let epsilon: Float

    /// Describes a norm whose parameter is bound.
    public init(weight: Tensor, epsilon: Float) {
        self.weight = weight
        self.epsilon = epsilon
    }
}

/// Weights of a LayerNorm.
public struct LayerNormWeights: Sendable {
    /// Factor per column, `[width]`.
    public let weight: Tensor

    /// Summand per column, `[width]`.
    public let bias: Tensor

    /// Added to the variance.
    public let epsilon: Float

    /// Describes a norm whose parameters are bound.
    public init(weight: Tensor, bias: Tensor, epsilon: Float) {
        self.weight = weight
        self.bias = bias
        self.epsilon = epsilon
    }
}

/// What a LayerNorm does with its result.
public enum NormEpilogue: Sendable, Hashable {
    /// Stores it.
    case store
    /// Stores its exact GELU.
    case gelu
    /// Adds it to what the output holds.
    case addResidual
}
