public import FacetTensor

/// What a weight matrix is quantized to: how elements are coded, and how many share a scale.
public struct QuantizationScheme: Sendable, Hashable {
    /// How elements are coded.
    public let format: QuantizedFormat

    /// Inputs of a row that share a scale; nil for the whole row.
    public let groupSize: Int?

    /// Makes a scheme.
    ///
    /// - Precondition: a group is a positive multiple of 8.
    public init(_ format: QuantizedFormat, groupSize: Int? = nil) {
        if let groupSize { precondition(groupSize > 0 && groupSize % 8 == 0, "a group of \(groupSize) inputs") }
        self.format = format
        self.groupSize = groupSize
    }

    /// Type that scales are written in: a row's scale weighs nothing, those of groups take 2 bytes.
    public var scaleDType: DType { groupSize == nil ? .float32 : .bfloat16 }

    /// Inputs that share a scale in rows of this length.
    public func groupSize(inputs: Int) -> Int { min(groupSize ?? inputs, inputs) }

    /// Scales of a row.
    public func groupCount(inputs: Int) -> Int {
        let size = groupSize(inputs: inputs)
        return (inputs + size - 1) / size
    }
}

extension QuantizationScheme: CustomStringConvertible {
    /// The scheme as `int4 (groups of 64)`.
    public var description: String { format.rawValue + (groupSize.map { " (groups of \($0))" } ?? "") }
}
