/// A conversation as token ids, ready for the model.
public struct ChatPrompt: Sendable, Hashable {
    /// The ids, the image still as its three placeholder tokens.
    public var tokenIDs: [TokenID]
    /// Where those three stand: begin-of-image, placeholder, end-of-image; nil without an image.
    public var imagePlaceholder: Range<Int>?
}

/// Writes a conversation the way GLM-4 was trained to read it.
///
///     [gMASK] <sop>  <|user|> \n  <|begin_of_image|> <|endoftext|> <|end_of_image|>  text  <|assistant|>
///
/// Each message is its role token, the encoding of `metadata + "\n"`, the image, and the encoding of its content, each
/// encoded apart; nothing ends a message but the next role. Content is neither stripped nor searched for special
/// tokens. This is the template of the published tokenizer at the level of ids; as a string it could not be faithful.
public struct ChatTemplate: Sendable {
    private let tokenizer: Tokenizer

    /// Makes a template that writes with this tokenizer's ids.
    public init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
    }

    /// The prompt of a conversation; a message with neither text nor image is left out.
    ///
    /// - Parameters:
    ///   - messages: The conversation, oldest message first.
    ///   - addingGenerationPrompt: Whether to end with the assistant's role token, so that the model answers.
    /// - Returns: The ids and the place of the image.
    /// - Throws: `.secondImage`, `.invalidTool`, `.invalidJSON`.
    public func prompt(
        for messages: [ChatMessage], addingGenerationPrompt: Bool = true
    ) throws(TokenizerError) -> ChatPrompt {
        let special = tokenizer.specialTokens
        var prompt = ChatPrompt(tokenIDs: [special.generationMask, special.startOfPiece], imagePlaceholder: nil)
        for (index, message) in messages.enumerated() {
            if let tools = message.tools, let preamble = try ToolPreamble.text(tools: tools, message: index) {
                appendHeading(.system, metadata: "", to: &prompt)
                prompt.tokenIDs += tokenizer.encode(preamble)
            }
            try append(message, index, to: &prompt)
        }
        if addingGenerationPrompt { prompt.tokenIDs.append(special.assistant) }
        return prompt
    }

    private func append(_ message: ChatMessage, _ index: Int, to prompt: inout ChatPrompt) throws(TokenizerError) {
        guard message.hasImage || !message.content.isEmpty else { return }
        appendHeading(message.role, metadata: message.metadata, to: &prompt)
        if message.hasImage {
            guard prompt.imagePlaceholder == nil else { throw .secondImage(message: index) }
            let start = prompt.tokenIDs.count
            prompt.tokenIDs += tokenizer.specialTokens.imagePlaceholder
            prompt.imagePlaceholder = start..<prompt.tokenIDs.count
        }
        prompt.tokenIDs += tokenizer.encode(message.content)
    }

    private func appendHeading(_ role: ChatRole, metadata: String, to prompt: inout ChatPrompt) {
        prompt.tokenIDs.append(roleToken(role))
        prompt.tokenIDs += tokenizer.encode(metadata + "\n")
    }

    private func roleToken(_ role: ChatRole) -> TokenID {
        switch role {
        case .system: tokenizer.specialTokens.system
        case .user: tokenizer.specialTokens.user
        case .assistant: tokenizer.specialTokens.assistant
        case .observation: tokenizer.specialTokens.observation
        }
    }
}
