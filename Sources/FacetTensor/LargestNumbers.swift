/// The largest numbers of each segment of each row, as a device leaves them for the host.
///
///     values  [rows, segments, count]  float32: largest first, equal ones by lower index
///     indices [rows, segments, count]  int32: places in the row
///
/// Numbers that are not finite come first, as plus infinity. Where a segment has fewer numbers than `count`, the rest is
/// minus infinity with index -1.
public struct LargestNumbers: Sendable, Hashable {
    /// Numbers of a segment; the last may be shorter.
    public static let segmentLength = 1024

    /// Rows.
    public let rowCount: Int

    /// Numbers of a row.
    public let width: Int

    /// How many of each segment are kept.
    public let count: Int

    /// Describes a choice.
    ///
    /// - Precondition: 1 to `segmentLength` numbers of each segment.
    public init(rowCount: Int, width: Int, count: Int) {
        precondition((1...Self.segmentLength).contains(count), "\(count) of a segment's numbers")
        self.rowCount = rowCount
        self.width = width
        self.count = count
    }

    /// Segments of a row.
    public var segmentCount: Int { (width + Self.segmentLength - 1) / Self.segmentLength }

    /// Values of all rows, and as many indices.
    public var pickCount: Int { rowCount * segmentCount * count }

    /// Bytes of values and indices.
    public var byteCount: Int { 8 * pickCount }
}

extension Backend {
    /// Leaves it to the host.
    public func enqueueDownload(
        _ picks: LargestNumbers, of rows: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) -> Bool { false }
}
