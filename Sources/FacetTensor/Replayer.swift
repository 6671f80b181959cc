/// Enqueues operations that come again and again, cheaper than one by one where the device can.
///
/// Whoever owns the memory that the operations work in owns the replayer too, and lets go of both together. Confined to
/// the thread of its backend.
public protocol Replayer: AnyObject {
    /// Enqueues what `body` enqueues.
    ///
    /// - Parameters:
    ///   - key: calls with equal keys enqueue the same operations with the same operands, whatever these hold; `body` may
    ///     be called for the first of them only.
    ///   - body: enqueues operations of this backend and does nothing else: it does not wait, copy to or from the host, or
    ///     involve another device.
    /// - Throws: what `body` throws, `.deviceFailed`.
    func run(_ key: some Hashable & Sendable, _ body: () throws(TensorError) -> Void) throws(TensorError)
}

/// Enqueues one by one.
final class PlainReplayer: Replayer {
    func run(_ key: some Hashable & Sendable, _ body: () throws(TensorError) -> Void) throws(TensorError) {
        try body()
    }
}
