/// The first pass of `BicubicResize`: one source row to one row of the result's width.
///
/// Weights are kept in a table when they fit a few megabytes. For a source of millions of columns they would not; such
/// a picture has few rows (limits bound the product), so it is narrowed whole, a block of output columns at a time, into
/// a small picture of the result's width, and rows are then copied from there.
struct HorizontalPass {
    /// Most weights of one table: 4 MiB of them.
    private static let maximumWeightCount = 1 << 20

    private let pixels: UnsafeBufferPointer<UInt8>
    private let axis: ResampleAxis
    private var block: ColumnBlock?
    private var narrowed: [UInt8] = []  // [rows, outputs, 3] when there is more than one block

    /// - Parameter pixels: `[rowCount, inputs, 3]`; must stay valid while this value is used.
    init(_ pixels: UnsafeBufferPointer<UInt8>, _ axis: ResampleAxis, rowCount: Int) {
        self.pixels = pixels
        self.axis = axis
        if axis.isIdentity { return }
        let first = ColumnBlock(axis, from: 0, maximumWeightCount: Self.maximumWeightCount)
        if first.columns.upperBound == axis.outputCount {
            block = first
        } else {
            narrow(rowCount: rowCount, first: first)
        }
    }

    /// Writes row `y` at the result's width (`[outputs, 3]`).
    mutating func writeRow(_ y: Int, to target: UnsafeMutableBufferPointer<UInt8>) {
        let stride = axis.outputCount * 3
        if axis.isIdentity {
            _ = target.update(fromContentsOf: pixels[y * stride..<(y + 1) * stride])
        } else if block == nil {
            _ = target.update(fromContentsOf: narrowed[y * stride..<(y + 1) * stride])
        } else {
            let source = sourceRow(y)
            block?.writeRow(source, to: target)
        }
    }

    private func sourceRow(_ y: Int) -> UnsafeBufferPointer<UInt8> {
        let stride = axis.inputCount * 3
        return UnsafeBufferPointer(rebasing: pixels[y * stride..<(y + 1) * stride])
    }

    private mutating func narrow(rowCount: Int, first: ColumnBlock) {
        let stride = axis.outputCount * 3
        var result = [UInt8](repeating: 0, count: rowCount * stride)
        var block = first
        while true {
            let columns = block.columns.lowerBound * 3..<block.columns.upperBound * 3
            result.withUnsafeMutableBufferPointer { result in
                for y in 0..<rowCount {
                    let range = y * stride + columns.lowerBound..<y * stride + columns.upperBound
                    block.writeRow(sourceRow(y), to: UnsafeMutableBufferPointer(rebasing: result[range]))
                }
            }
            if block.columns.upperBound == axis.outputCount { break }
            block = ColumnBlock(
                axis, from: block.columns.upperBound, maximumWeightCount: Self.maximumWeightCount)
        }
        narrowed = result
    }
}

/// Some neighboring output columns with their weights, and room for the source pixels under them.
private struct ColumnBlock {
    let columns: Range<Int>
    private var windows: [Range<Int>] = []  // relative to `inputs`
    private var weights: [Int32] = []  // the windows' weights, one window after the other
    private let inputs: Range<Int>
    private var expanded: [SIMD4<Int32>]  // the source pixels of `inputs`, one vector each

    /// Takes columns from `start` on while their weights fit, and at least one.
    init(_ axis: ResampleAxis, from start: Int, maximumWeightCount: Int) {
        var end = start
        let firstInput = axis.window(start).lowerBound
        repeat {
            let window = axis.window(end)
            windows.append(window.lowerBound - firstInput..<window.upperBound - firstInput)
            axis.appendWeights(end, to: &weights)
            end += 1
        } while end < axis.outputCount && weights.count + axis.window(end).count <= maximumWeightCount
        columns = start..<end
        inputs = firstInput..<axis.window(end - 1).upperBound
        expanded = [SIMD4<Int32>](repeating: .zero, count: inputs.count)
    }

    /// Writes this block's columns of one row (`[columns, 3]`).
    mutating func writeRow(_ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutableBufferPointer<UInt8>) {
        expanded.withUnsafeMutableBufferPointer { expanded in
            for x in 0..<expanded.count {
                let i = (inputs.lowerBound + x) * 3
                expanded[x] = SIMD4(Int32(source[i]), Int32(source[i + 1]), Int32(source[i + 2]), 0)
            }
        }
        expanded.withUnsafeBufferPointer { expanded in
            weights.withUnsafeBufferPointer { weights in
                windows.withUnsafeBufferPointer { Self.convolve(expanded, weights, $0, target) }
            }
        }
    }

    private static func convolve(
        _ pixels: UnsafeBufferPointer<SIMD4<Int32>>, _ weights: UnsafeBufferPointer<Int32>,
        _ windows: UnsafeBufferPointer<Range<Int>>, _ target: UnsafeMutableBufferPointer<UInt8>
    ) {
        let half = SIMD4<Int32>(repeating: 1 << (ResampleAxis.precision - 1))
        let white = SIMD4<Int32>(repeating: 255)
        var nextWeight = 0
        for x in 0..<windows.count {
            let window = windows[x]
            var sum = half
            for i in window {
                sum &+= pixels[i] &* weights[nextWeight]
                nextWeight += 1
            }
            let value = (sum &>> ResampleAxis.precision).clamped(lowerBound: .zero, upperBound: white)
            target[3 * x] = UInt8(truncatingIfNeeded: value[0])
            target[3 * x + 1] = UInt8(truncatingIfNeeded: value[1])
            target[3 * x + 2] = UInt8(truncatingIfNeeded: value[2])
        }
    }
}
