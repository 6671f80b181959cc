/// A version of CUDA, such as 12.4.
public struct CUDAVersion: Sendable, Hashable {
    /// The number before the point: libraries of one are compatible among themselves.
    public let major: Int

    /// The number behind the point.
    public let minor: Int

    /// Names a version.
    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads the form of the driver, 12040 for 12.4.
    init(encoded: Int32) { self.init(Int(encoded) / 1000, Int(encoded) % 1000 / 10) }
}

extension CUDAVersion: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

extension CUDAVersion: CustomStringConvertible {
    public var description: String { "\(major).\(minor)" }
}
