public import FacetTensor

/// The host's copy of the last step's logits, reused from step to step: whole rows, or the best of each.
///
///     [rows, vocabulary], float32, row-major; row i belongs to entry i of the batch's `sampledRows`
///
/// Confined to the engine's thread.
public final class Logits {
    /// Numbers of a row.
    public let vocabularySize: Int

    /// Most rows it can hold.
    public let capacity: Int

    /// Rows of the last step.
    public private(set) var rowCount = 0

    /// Which of the numbers are here; nil for all.
    private var picks: LargestNumbers?

    private let storage: UnsafeMutableBufferPointer<Float>

    /// Takes memory for `capacity` rows.
    ///
    /// - Precondition: both counts are positive.
    public init(capacity: Int, vocabularySize: Int) {
        precondition(capacity > 0 && vocabularySize > 0, "logits of \(capacity) rows of \(vocabularySize)")
        self.capacity = capacity
        self.vocabularySize = vocabularySize
        storage = .allocate(capacity: capacity * vocabularySize)
        storage.initialize(repeating: 0)
    }

    deinit { storage.deallocate() }

    /// Replaces the content: `body` fills `rowCount` rows.
    ///
    /// - Precondition: `rowCount` is at most `capacity`.
    public func fill<E: Error>(
        rowCount: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws(E) -> Void
    ) throws(E) {
        precondition(rowCount <= capacity, "\(rowCount) rows of logits, but room for \(capacity)")
        self.rowCount = 0
        picks = nil
        try body(UnsafeMutableBufferPointer(rebasing: storage[..<(rowCount * vocabularySize)]))
        self.rowCount = rowCount
    }

    /// Replaces the content by the best `count` logits of each segment of a row: `body` says whether it filled them in.
    ///
    /// - Returns: false when whole rows are needed: they take no more room, or `body` said so. Then there is none.
    public func fillBest<E: Error>(
        rowCount: Int, count: Int, _ body: (LargestNumbers, UnsafeMutableRawBufferPointer) throws(E) -> Bool
    ) throws(E) -> Bool {
        precondition(rowCount <= capacity, "\(rowCount) rows of logits, but room for \(capacity)")
        let picks = LargestNumbers(rowCount: rowCount, width: vocabularySize, count: count)
        self.rowCount = 0
        self.picks = nil
        guard picks.byteCount < rowCount * vocabularySize * 4 else { return false }
        let numbers = UnsafeMutableBufferPointer(rebasing: storage[..<(2 * picks.pickCount)])
        guard try body(picks, UnsafeMutableRawBufferPointer(numbers)) else { return false }
        self.rowCount = rowCount
        self.picks = picks
        return true
    }

    /// The best logits of a row; nil where whole rows are here.
    ///
    /// - Precondition: `index` is less than `rowCount`.
    package func best(_ index: Int) -> BestLogits? {
        precondition(index >= 0 && index < rowCount, "row \(index) of \(rowCount) rows of logits")
        guard let picks else { return nil }
        let size = picks.segmentCount * picks.count
        let values = UnsafeBufferPointer(rebasing: storage[index * size..<(index + 1) * size])
        let start = picks.pickCount + index * size
        return BestLogits(
            values: values, ids: UnsafeBufferPointer(rebasing: storage[start..<start + size]), picks)
    }

    /// Gives access to one row, which may be overwritten.
    ///
    /// - Precondition: `index` is less than `rowCount`, and whole rows are here.
    public func withRow<Value, E: Error>(
        _ index: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws(E) -> Value
    ) throws(E) -> Value {
        precondition(index >= 0 && index < rowCount, "row \(index) of \(rowCount) rows of logits")
        precondition(picks == nil, "only the best logits of each row are here")
        let start = index * vocabularySize
        return try body(UnsafeMutableBufferPointer(rebasing: storage[start..<(start + vocabularySize)]))
    }
}
