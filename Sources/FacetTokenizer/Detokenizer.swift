/// What decoding does with special tokens.
public enum SpecialTokenRendering: Sendable, Hashable {
    /// They leave no trace, as when an answer is shown.
    case skipped
    /// Their text is shown, with a space between it and what stands beside it, as the published tokenizer does.
    case shown
}

/// Turns token ids into text one by one, releasing only whole characters.
///
/// A token may end inside a character. Its last bytes are then held back until the next token completes them, so that
/// the released strings joined together are the text of all ids decoded at once.
public struct Detokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let rendering: SpecialTokenRendering
    /// Bytes that begin a character, held back.
    private var pending: [UInt8] = []
    /// Whether anything was released, so that a special token needs a space before it.
    private var hasOutput = false
    /// Whether a special token was released last, so that what follows needs a space before it.
    private var followsSpecialToken = false

    /// Makes a detokenizer that has seen no token yet.
    public init(_ tokenizer: Tokenizer, specialTokens rendering: SpecialTokenRendering = .skipped) {
        self.tokenizer = tokenizer
        self.rendering = rendering
    }

    /// Takes the next id and returns the text that is certain by now, which may be empty.
    ///
    /// Ids that mean nothing give no text.
    public mutating func append(_ id: TokenID) -> String {
        if let bytes = tokenizer.vocabulary.bytes(of: id) {
            pending += bytes
            return release(holdingBack: UTF8Text.incompleteTailCount(pending))
        }
        guard rendering == .shown, let name = tokenizer.specialTokens.name(of: id) else { return "" }
        let before = release(holdingBack: 0)
        let separator = hasOutput ? " " : ""
        hasOutput = true
        followsSpecialToken = true
        return before + separator + name
    }

    /// Ends the text: returns what is held back, an incomplete character as U+FFFD, and begins anew.
    public mutating func finish() -> String {
        let text = release(holdingBack: 0)
        hasOutput = false
        followsSpecialToken = false
        return text
    }

    private mutating func release(holdingBack count: Int) -> String {
        guard pending.count > count else { return "" }
        let text = String(decoding: pending.dropLast(count), as: UTF8.self)
        pending.removeFirst(pending.count - count)
        let separator = followsSpecialToken ? " " : ""
        hasOutput = true
        followsSpecialToken = false
        return separator + text
    }
}
