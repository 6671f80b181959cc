/// Why an answer ended.
public enum FinishReason: String, Sendable, Hashable {
    /// The model produced a stop id.
    case stop
    /// The answer contains a stop string; text from it on is not shown.
    case stopString
    /// The token limit was reached.
    case length
    /// The caller cancelled, or the engine was shut down.
    case cancelled
}
