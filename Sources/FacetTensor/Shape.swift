/// The lengths of a tensor's dimensions, outermost first; the last one is contiguous in memory.
public struct Shape: Sendable, Hashable {
    /// Length of each dimension; never negative.
    public let dimensions: [Int]

    /// Makes a shape.
    ///
    /// - Precondition: no length is negative and their product fits `Int`.
    public init(_ dimensions: [Int]) {
        var count = 1
        for length in dimensions {
            precondition(length >= 0, "a dimension cannot have length \(length)")
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            precondition(!overflow, "shape \(dimensions) has more elements than an Int can count")
            count = product
        }
        self.dimensions = dimensions
        elementCount = count
    }

    /// Number of elements; 1 for a scalar.
    public let elementCount: Int

    /// Number of dimensions.
    public var rank: Int { dimensions.count }

    /// Length of the outermost dimension; 1 for a scalar.
    public var rowCount: Int { dimensions.first ?? 1 }

    /// Elements in one row, that is, in everything below the outermost dimension.
    public var rowElementCount: Int { dimensions.dropFirst().reduce(1, *) }

    /// Length of dimension `index`.
    public subscript(index: Int) -> Int { dimensions[index] }

    /// The same shape with another outermost length.
    public func withRowCount(_ count: Int) -> Shape { Shape([count] + dimensions.dropFirst()) }
}

extension Shape: ExpressibleByArrayLiteral {
    /// Writes a shape as `[tokens, hidden]`.
    public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
    public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
