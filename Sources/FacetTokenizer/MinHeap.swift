/// A binary heap that gives its smallest number first.
struct MinHeap {
    private var items: [UInt64]

    /// Makes a heap of these numbers, in O(n).
    init(_ numbers: [UInt64]) {
        items = numbers
        for index in stride(from: items.count / 2 - 1, through: 0, by: -1) { siftDown(from: index) }
    }

    /// Adds a number, in O(log n).
    mutating func insert(_ number: UInt64) {
        items.append(number)
        var index = items.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard number < items[parent] else { break }
            items[index] = items[parent]
            index = parent
        }
        items[index] = number
    }

    /// Removes and returns the smallest number, or nil when there is none, in O(log n).
    mutating func popFirst() -> UInt64? {
        guard let first = items.first, let last = items.popLast() else { return nil }
        if !items.isEmpty {
            items[0] = last
            siftDown(from: 0)
        }
        return first
    }

    private mutating func siftDown(from start: Int) {
        let number = items[start]
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < items.count else { break }
            if child + 1 < items.count && items[child + 1] < items[child] { child += 1 }
            guard items[child] < number else { break }
            items[index] = items[child]
            index = child
        }
        items[index] = number
    }
}
