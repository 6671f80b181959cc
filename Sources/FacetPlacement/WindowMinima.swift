/// Minima over windows that end at each place of a row, for windows of every power of two.
struct WindowMinima {
    /// The places of each row between its first and its last finite value; nil when it has none.
    let reachable: [ClosedRange<Int>?]
    /// The smallest value of each row.
    let lowest: [Int]
    private let levels: [[Int]]
    private let rowLength: Int

    init(_ values: ArraySlice<Int>, rowLength: Int) {
        self.rowLength = rowLength
        let first = Array(values)
        reachable = stride(from: 0, to: first.count, by: rowLength).map { start in
            let row = first[start..<start + rowLength]
            guard let low = row.firstIndex(where: { $0 < 1 << 60 }), let high = row.lastIndex(where: { $0 < 1 << 60 })
            else { return nil }
            return low - start...high - start
        }
        lowest = stride(from: 0, to: first.count, by: rowLength).map { start in
            first[start..<start + rowLength].reduce(Int.max) { min($0, $1) }
        }
        var levels = [first]
        var length = 1
        while 2 * length <= rowLength, let below = levels.last {
            var level = below
            for start in stride(from: 0, to: first.count, by: rowLength) where reachable[start / rowLength] != nil {
                for place in length..<rowLength {
                    level[start + place] = min(below[start + place], below[start + place - length])
                }
            }
            levels.append(level)
            length *= 2
        }
        self.levels = levels
    }

    /// Lowers places of a row of `target` to the minimum of the window that ends `first` before each, plus a cost.
    func lower(
        _ target: inout [Int], at start: Int, places: ClosedRange<Int>, toRow row: Int, first: Int, window: Int,
        plus cost: Int
    ) {
        let level = min(levels.count - 1, window.bitWidth - 1 - window.leadingZeroBitCount)
        // Before the row's begin the window is cut off; the level's minima there already cover what is left.
        let shift = window - (1 << level)
        levels[level].withUnsafeBufferPointer { source in
            target.withUnsafeMutableBufferPointer { goal in
                lower(
                    goal, start, source, row * rowLength - first, max(places.lowerBound, first)...places.upperBound,
                    cost)
                let low = max(places.lowerBound, first + shift)
                guard shift > 0, low <= places.upperBound else { return }
                lower(goal, start, source, row * rowLength - first - shift, low...places.upperBound, cost)
            }
        }
    }

    private func lower(
        _ goal: UnsafeMutableBufferPointer<Int>, _ start: Int, _ source: UnsafeBufferPointer<Int>, _ from: Int,
        _ places: ClosedRange<Int>, _ cost: Int
    ) {
        for place in places {
            let value = source[from + place] &+ cost
            goal[start + place] = value < goal[start + place] ? value : goal[start + place]
        }
    }
}
