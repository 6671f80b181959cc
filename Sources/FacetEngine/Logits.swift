/// The host's copy of the last step's logits, reused from step to step.
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
        try body(UnsafeMutableBufferPointer(rebasing: storage[..<(rowCount * vocabularySize)]))
        self.rowCount = rowCount
    }

    /// Gives access to one row, which may be overwritten.
    ///
    /// - Precondition: `index` is less than `rowCount`.
    public func withRow<Value, E: Error>(
        _ index: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws(E) -> Value
    ) throws(E) -> Value {
        precondition(index >= 0 && index < rowCount, "row \(index) of \(rowCount) rows of logits")
        let start = index * vocabularySize
        return try body(UnsafeMutableBufferPointer(rebasing: storage[start..<(start + vocabularySize)]))
    }
}
