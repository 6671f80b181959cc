/// How far quantized weights are from the weights, as sums of squares.
public struct QuantizationLoss: Sendable, Hashable {
    /// Sum of the squares of the differences.
    public private(set) var squaredError = 0.0

    /// Sum of the squares of the weights.
    public private(set) var squaredWeight = 0.0

    /// No weight yet.
    public init() {}

    /// The root of the mean square difference, relative to that of the weights; 0 for weights that are all 0.
    public var relativeError: Double { squaredWeight > 0 ? (squaredError / squaredWeight).squareRoot() : 0 }

    /// Counts weights.
    public mutating func add(squaredError: Double, squaredWeight: Double) {
        self.squaredError += squaredError
        self.squaredWeight += squaredWeight
    }

    /// Counts the weights of another loss.
    public mutating func add(_ other: QuantizationLoss) {
        add(squaredError: other.squaredError, squaredWeight: other.squaredWeight)
    }
}

/// Why weights cannot be quantized.
public enum QuantizationError: Error, Sendable, Hashable {
    /// A weight is NaN or infinite.
    case notFinite(row: Int)
}

extension QuantizationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFinite(let row):
            "row \(row) holds a weight that is not a finite number; fetch the original weights again"
        }
    }
}
