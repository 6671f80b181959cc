/// Something unusual about a conversation that the model answers nevertheless.
public enum PromptWarning: Sendable, Hashable {
    /// The picture is not in the first user message; the model was not trained on that.
    case imageInLaterTurn
    /// There is a system message beside a picture; the model was not trained on that.
    case systemMessageWithImage
}

extension PromptWarning: CustomStringConvertible {
    public var description: String {
        switch self {
        case .imageInLaterTurn:
            "The picture is in a later turn; the model was trained with it in the first, so the answer may be worse."
        case .systemMessageWithImage:
            "There is a system message beside a picture; the model was trained without one, "
                + "so the answer may be worse."
        }
    }
}

/// A conversation made ready for the engine: ids, rows, positions, pixels.
///
/// Immutable, and cheap to copy.
public struct Prompt: Sendable {
    /// Prompt ids, a picture as its three placeholders.
    public let tokenIDs: [Int32]

    /// What is unusual about the conversation.
    public let warnings: [PromptWarning]

    /// The rows to compute.
    package let rows: PromptRows

    /// The picture; nil without one.
    package let image: PreparedImage?

    /// Puts a prompt together from parts that fit.
    package init(tokenIDs: [Int32], rows: PromptRows, image: PreparedImage? = nil, warnings: [PromptWarning] = []) {
        precondition(image?.hash == rows.imageHash, "the rows are those of another picture")
        self.tokenIDs = tokenIDs
        self.rows = rows
        self.image = image
        self.warnings = warnings
    }

    /// A prompt of ids alone, without a picture, at positions counted from 0.
    ///
    /// - Throws: `.emptyConversation`.
    public init(tokenIDs: [Int32]) throws(EngineError) {
        guard !tokenIDs.isEmpty else { throw .emptyConversation }
        self.init(
            tokenIDs: tokenIDs, rows: PromptRows(tokenIDs: tokenIDs, positions: Array(0..<Int32(tokenIDs.count))))
    }

    /// Cache rows that the prompt takes.
    public var rowCount: Int { rows.count }

    /// Cache rows that the picture takes, its begin and end rows included; 0 without one.
    public var imageTokenCount: Int { rows.imageRows?.count ?? 0 }
}
