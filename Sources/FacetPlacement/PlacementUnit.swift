/// The shape of a linear weight.
public struct LinearShape: Sendable, Hashable {
    /// Rows of the weight.
    public let outputs: Int
    /// Columns of the weight.
    public let inputs: Int

    /// Makes a shape.
    public init(outputs: Int, inputs: Int) {
        self.outputs = outputs
        self.inputs = inputs
    }

    /// Elements of the weight.
    public var elementCount: Int { outputs * inputs }
}

/// A part of the model that is never cut: what it stores.
public struct PlacementUnit: Sendable, Hashable {
    /// Weights that may be quantized.
    public let linears: [LinearShape]
    /// Elements that are never quantized: norms, biases, convolutions, tables.
    public let otherElements: Int

    /// Makes a unit.
    public init(linears: [LinearShape] = [], otherElements: Int) {
        self.linears = linears
        self.otherElements = otherElements
    }

    /// Elements of all linear weights.
    public var linearElements: Int { linears.reduce(0) { $0 + $1.elementCount } }

    /// Bytes in a precision, scales included.
    public func byteCount(_ precision: Precision) -> Int {
        linears.reduce(otherElements * precision.elementByteCount) { $0 + precision.byteCount(of: $1) }
    }
}
