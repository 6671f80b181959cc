/// Delivers token ids from the best logit down, without sorting the whole vocabulary.
///
/// Filling is O(vocabulary), each id taken is O(log vocabulary). Equal logits come in the order of their ids. The
/// storage is kept between uses, so one heap serves all sequences of an engine.
package struct CandidateHeap {
    // A binary heap: the best id first, every id at least as good as its two children.
    private var ids: [Int32] = []

    /// Makes an empty heap.
    package init() {}

    /// Takes all ids of a vocabulary.
    mutating func fill(_ logits: UnsafeMutableBufferPointer<Float>) {
        ids.removeAll(keepingCapacity: true)
        ids.append(contentsOf: 0..<Int32(logits.count))
        ids.withUnsafeMutableBufferPointer { ids in
            for root in stride(from: ids.count / 2 - 1, through: 0, by: -1) { Self.sink(root, ids, logits) }
        }
    }

    /// The best remaining id, or nil when all are taken.
    func best() -> Int32? { ids.first }

    /// Takes the best remaining id.
    mutating func removeBest(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32? {
        guard let best = ids.first else { return nil }
        let last = ids.removeLast()
        guard !ids.isEmpty else { return best }
        ids[0] = last
        ids.withUnsafeMutableBufferPointer { Self.sink(0, $0, logits) }
        return best
    }

    private static func sink(
        _ start: Int, _ ids: UnsafeMutableBufferPointer<Int32>, _ logits: UnsafeMutableBufferPointer<Float>
    ) {
        let moving = ids[start]
        var hole = start
        while true {
            var child = 2 * hole + 1
            guard child < ids.count else { break }
            if child + 1 < ids.count && isBetter(ids[child + 1], ids[child], logits) { child += 1 }
            guard isBetter(ids[child], moving, logits) else { break }
            ids[hole] = ids[child]
            hole = child
        }
        ids[hole] = moving
    }

    private static func isBetter(_ a: Int32, _ b: Int32, _ logits: UnsafeMutableBufferPointer<Float>) -> Bool {
        let (x, y) = (logits[Int(a)], logits[Int(b)])
        return x > y || (x == y && a < b)
    }
}
