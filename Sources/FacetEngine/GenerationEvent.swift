/// What the engine reports about a request, in order.
///
///     encodingImage* → imageEncoded → prefill+ → token … → text? → finished
///
/// Errors end the stream in place of `finished`.
public enum GenerationEvent: Sendable {
    /// The picture is being encoded; the finished share, 0 to 1.
    case encodingImage(Double)
    /// The picture was encoded; it is not reported when its features were still there.
    case imageEncoded(Duration)
    /// Prompt rows are in the cache.
    case prefill(PrefillProgress)
    /// A token, and the text that became certain with it (often empty).
    case token(id: Int32, text: String)
    /// Text that was held back and became certain because the answer ended.
    case text(String)
    /// The answer is complete; nothing follows.
    case finished(Completion)
}

/// How much of a prompt is in the cache.
public struct PrefillProgress: Sendable, Hashable {
    /// Rows that were there already, from an earlier turn.
    public let reusedRowCount: Int

    /// Rows that are there now, the reused ones included.
    public let cachedRowCount: Int

    /// Rows of the prompt.
    public let totalRowCount: Int
}

/// A complete answer.
public struct Completion: Sendable {
    /// Why it ended.
    public let reason: FinishReason

    /// The text of all `token` and `text` events together.
    public let text: String

    /// The generated ids, without the stop id.
    public let tokenIDs: [Int32]

    /// How many tokens went in and came out.
    public let usage: Usage

    /// How long it took.
    public let timings: Timings

    /// The seed of the draws: with it the same request gives the same answer.
    public let seed: UInt64
}

/// Token counts of a request.
public struct Usage: Sendable, Hashable {
    /// Prompt ids, a picture counted as its three placeholders.
    public let promptTokenCount: Int

    /// Cache rows of the picture, its begin and end rows included; 0 without one.
    public let imageTokenCount: Int

    /// Prompt rows that an earlier turn had left in the cache.
    public let reusedRowCount: Int

    /// Generated tokens, without the stop id.
    public let generatedTokenCount: Int
}

/// How long the parts of a request took.
public struct Timings: Sendable, Hashable {
    /// From submission to admission.
    public var queue: Duration = .zero

    /// Encoding the picture; nil when there is none or its features were there.
    public var image: Duration?

    /// From the first prompt row to the first token.
    public var prefill: Duration = .zero

    /// From submission to the first token; nil when there was none.
    public var timeToFirstToken: Duration?

    /// From the first token to the last.
    public var decode: Duration = .zero

    /// Tokens that `decode` counts: all but the first.
    public var decodedTokenCount = 0

    /// Mean time of a token after the first; nil when there was none.
    public var perToken: Duration? { decodedTokenCount > 0 ? decode / decodedTokenCount : nil }

    /// Makes timings of nothing.
    public init() {}
}
