/// Who speaks in a message.
public enum ChatRole: String, CaseIterable, Sendable, Codable {
    /// Instructions for the whole conversation.
    case system
    /// The person who asks.
    case user
    /// The model.
    case assistant
    /// The result of a tool.
    case observation

    /// The role with this name.
    ///
    /// - Throws: `.unknownRole`.
    public init(name: String) throws(TokenizerError) {
        guard let role = ChatRole(rawValue: name) else { throw .unknownRole(name) }
        self = role
    }
}

/// One message of a conversation.
public struct ChatMessage: Sendable, Hashable {
    /// Who speaks.
    public var role: ChatRole
    /// What stands on the line of the role: the tool's name when an assistant calls one, else empty.
    public var metadata: String
    /// The text; special-token text in it stays ordinary text.
    public var content: String
    /// Whether a picture stands before the text.
    public var hasImage: Bool
    /// Tools the model may call, as a JSON array of `{"type": "function", "function": {…}}`; nil for none.
    public var tools: String?

    /// Makes a message.
    public init(
        role: ChatRole, content: String = "", metadata: String = "", hasImage: Bool = false, tools: String? = nil
    ) {
        self.role = role
        self.content = content
        self.metadata = metadata
        self.hasImage = hasImage
        self.tools = tools
    }
}
