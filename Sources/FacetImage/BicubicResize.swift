/// Bicubic resizing, bit for bit that of Pillow 10.4: rows first, 8 bits between the passes, 22-bit weights.
///
/// Source rows stream from the top. Each is narrowed to one 8-bit row (`HorizontalPass`) and added, with its weight, to
/// every output row whose window it is in; an output row is written when its window has passed. So beside source and
/// result only the output rows in progress are held: five when shrinking, at most the whole result in 32 bits when
/// enlarging, whatever the source's height.
///
///     source rows   y   y+1   y+2 ...
///                    \   |   /
///     in progress  [ 32-bit sums of output row k ][ k+1 ][ k+2 ] ...
///
/// An axis that keeps its length is copied, as in Pillow. Newer Pillow versions (13) change the order of the passes.
public struct BicubicResize: Sendable {
    /// Longest side of a result; keeps an impossible request from being a crash.
    public static let maximumSide = 1 << 15

    /// Pixels in a row of the result.
    public let width: Int
    /// Rows of the result.
    public let height: Int

    /// Makes a resizer to a fixed size; the aspect ratio of a source is not kept.
    ///
    /// - Throws: `.wrongSize` when a side is not from 1 to `maximumSide`.
    public init(width: Int, height: Int) throws(ImageError) {
        guard 1...Self.maximumSide ~= width, 1...Self.maximumSide ~= height else {
            throw .wrongSize(width: width, height: height)
        }
        self.width = width
        self.height = height
    }

    /// The picture at the resizer's size.
    ///
    /// - Complexity: about 12 · (source pixels + source height · width) multiply-adds when shrinking.
    public func callAsFunction(_ source: Bitmap) throws(ImageError) -> Bitmap {
        let columns = ResampleAxis(from: source.width, to: width)
        let rows = ResampleAxis(from: source.height, to: height)
        if columns.isIdentity && rows.isIdentity { return source }

        let byteCount = width * height * 3
        let pixels = [UInt8](unsafeUninitializedCapacity: byteCount) { target, initializedCount in
            source.pixels.withUnsafeBufferPointer { pixels in
                var horizontal = HorizontalPass(pixels, columns, rowCount: source.height)
                if rows.isIdentity {
                    for y in 0..<height {
                        horizontal.writeRow(y, to: UnsafeMutableBufferPointer(rebasing: target[rowRange(y)]))
                    }
                } else {
                    resizeRows(&horizontal, rows, target)
                }
            }
            initializedCount = byteCount
        }
        return try Bitmap(width: width, height: height, pixels: pixels)
    }

    private func rowRange(_ y: Int) -> Range<Int> { y * width * 3..<(y + 1) * width * 3 }

    /// The vertical pass: source rows in, output rows out, sums in between.
    private func resizeRows(
        _ horizontal: inout HorizontalPass, _ axis: ResampleAxis, _ target: UnsafeMutableBufferPointer<UInt8>
    ) {
        var row = [UInt8](repeating: 0, count: width * 3)
        var open: [OpenRow] = []  // windows that contain y, in output order
        var spare: [OpenRow] = []
        var next = 0
        for y in 0..<axis.inputCount {
            while next < height, axis.window(next).lowerBound <= y {
                open.append(Self.reuse(&spare, axis, next, sampleCount: width * 3))
                next += 1
            }
            row.withUnsafeMutableBufferPointer { horizontal.writeRow(y, to: $0) }
            for i in open.indices { open[i].add(row, y) }
            while let first = open.first, first.window.upperBound == y + 1 {
                first.write(to: UnsafeMutableBufferPointer(rebasing: target[rowRange(first.index)]))
                spare.append(open.removeFirst())
            }
        }
        precondition(next == height && open.isEmpty, "every output row's window ends inside the source")
    }

    private static func reuse(
        _ spare: inout [OpenRow], _ axis: ResampleAxis, _ index: Int, sampleCount: Int
    ) -> OpenRow {
        var row = spare.popLast() ?? OpenRow(sampleCount: sampleCount)
        row.begin(axis, index)
        return row
    }
}

/// The sums of one output row while its window passes.
private struct OpenRow {
    private(set) var index = 0
    private(set) var window = 0..<0
    private var weights: [Int32] = []
    private var sums: [Int32]

    init(sampleCount: Int) { sums = [Int32](repeating: 0, count: sampleCount) }

    /// Starts output row `index`, with the half that rounds the result.
    mutating func begin(_ axis: ResampleAxis, _ index: Int) {
        self.index = index
        window = axis.window(index)
        weights.removeAll(keepingCapacity: true)
        axis.appendWeights(index, to: &weights)
        let half: Int32 = 1 << (ResampleAxis.precision - 1)
        for i in sums.indices { sums[i] = half }
    }

    /// Adds source row `y`, which must be inside the window.
    mutating func add(_ row: [UInt8], _ y: Int) {
        let weight = weights[y - window.lowerBound]
        row.withUnsafeBufferPointer { row in
            sums.withUnsafeMutableBufferPointer { sums in
                // The absolute weights of a window sum to less than 1.5 · 2²², so 255 times that fits 32 bits.
                for i in 0..<sums.count { sums[i] &+= Int32(row[i]) &* weight }
            }
        }
    }

    /// Writes the finished row.
    func write(to target: UnsafeMutableBufferPointer<UInt8>) {
        sums.withUnsafeBufferPointer { sums in
            for i in 0..<sums.count {
                target[i] = UInt8(truncatingIfNeeded: max(0, min(255, sums[i] >> ResampleAxis.precision)))
            }
        }
    }
}
