/// How many blocks of a grid, or threads of a block, lie in each direction.
public struct Dimensions: Sendable, Hashable {
    /// Along the innermost direction.
    public let x: Int

    /// Along the second.
    public let y: Int

    /// Along the outermost.
    public let z: Int

    /// Names the three lengths.
    public init(_ x: Int, _ y: Int = 1, _ z: Int = 1) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// All of them.
    public var count: Int { x * y * z }
}

extension Dimensions: ExpressibleByIntegerLiteral {
    /// So many in a row.
    public init(integerLiteral value: Int) { self.init(value) }
}
