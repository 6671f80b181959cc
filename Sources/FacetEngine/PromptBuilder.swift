public import FacetImage
public import FacetModel
public import FacetTokenizer

/// Turns a conversation and its picture into a prompt: chat template, length check, picture, expansion.
///
/// Runs on the caller's side, never on the engine's thread. Lengths are checked before a picture is even opened.
public struct PromptBuilder: Sendable {
    /// How long a conversation may be.
    public let context: ContextLimits

    /// What a picture may cost.
    public var imageLimits = ImageLimits()

    private let template: ChatTemplate
    private let configuration: GLM4VConfiguration
    private let preprocessor: ImagePreprocessor

    /// Makes a builder for one model.
    ///
    /// - Throws: `.image` when the configuration's picture size is out of bounds.
    public init(
        tokenizer: Tokenizer, configuration: GLM4VConfiguration, context: ContextLimits
    ) throws(EngineError) {
        template = ChatTemplate(tokenizer)
        self.configuration = configuration
        self.context = context
        do { preprocessor = try ImagePreprocessor(size: configuration.imageSize) } catch { throw .image(error) }
    }

    /// Loads and preprocesses a picture, to be asked about in one or more turns.
    ///
    /// - Throws: `.image`.
    public func image(_ source: ImageSource) throws(EngineError) -> PreparedImage {
        try PreparedImage(source, limits: imageLimits, preprocessor)
    }

    /// The prompt of a conversation whose pictures are still to be loaded.
    ///
    /// - Parameters:
    ///   - messages: oldest first; `hasImage` marks the message that a picture belongs to.
    ///   - images: the marked messages' pictures, in order; at most one.
    ///   - maxTokens: tokens to generate; nil for the default.
    /// - Throws: `.emptyConversation`, `.tooManyImages`, `.imageMismatch`, `.promptTooLong`, `.cacheTooSmall`,
    ///   `.tokenizer`, `.image`.
    public func prompt(
        for messages: [ChatMessage], images: [ImageSource] = [], maxTokens: Int? = nil
    ) throws(EngineError) -> Prompt {
        let draft = try draft(messages, imageCount: images.count, maxTokens: maxTokens)
        guard let source = images.first else { return prompt(draft, nil) }
        return prompt(draft, try image(source))
    }

    /// The prompt of a conversation whose picture, if any, was prepared before.
    ///
    /// - Throws: as `prompt(for:images:maxTokens:)`, but not `.image`.
    public func prompt(
        for messages: [ChatMessage], image: PreparedImage?, maxTokens: Int? = nil
    ) throws(EngineError) -> Prompt {
        prompt(try draft(messages, imageCount: image == nil ? 0 : 1, maxTokens: maxTokens), image)
    }

    private struct Draft {
        let tokenIDs: [Int32]
        let expansion: PromptExpansion
        let warnings: [PromptWarning]
    }

    private func draft(_ messages: [ChatMessage], imageCount: Int, maxTokens: Int?) throws(EngineError) -> Draft {
        let announced = messages.count(where: \.hasImage)
        guard max(announced, imageCount) <= 1 else { throw .tooManyImages(count: max(announced, imageCount)) }
        guard announced == imageCount else { throw .imageMismatch(announced: announced, given: imageCount) }
        guard messages.contains(where: { $0.hasImage || !$0.content.isEmpty }) else { throw .emptyConversation }
        let ids = try render(messages)
        let expansion = try expand(ids, imageCount: imageCount)
        _ = try context.newTokenCount(
            promptTokens: ids.count, promptRows: expansion.rowCount, requested: maxTokens)
        return Draft(tokenIDs: ids, expansion: expansion, warnings: Self.warnings(messages))
    }

    private func render(_ messages: [ChatMessage]) throws(EngineError) -> [Int32] {
        do { return try template.prompt(for: messages).tokenIDs } catch { throw .tokenizer(error) }
    }

    private func expand(_ ids: [Int32], imageCount: Int) throws(EngineError) -> PromptExpansion {
        do {
            return try PromptExpansion(ids, imageCount: imageCount, configuration: configuration)
        } catch { throw .model(error) }
    }

    private func prompt(_ draft: Draft, _ image: PreparedImage?) -> Prompt {
        let rows = PromptRows(
            tokenIDs: draft.expansion.tokenIDs, positions: draft.expansion.positions,
            imageRows: draft.expansion.imageRows, imageHash: image?.hash)
        return Prompt(tokenIDs: draft.tokenIDs, rows: rows, image: image, warnings: draft.warnings)
    }

    private static func warnings(_ messages: [ChatMessage]) -> [PromptWarning] {
        guard let marked = messages.firstIndex(where: \.hasImage) else { return [] }
        var warnings: [PromptWarning] = []
        if messages.firstIndex(where: { $0.role == .user }) != marked { warnings.append(.imageInLaterTurn) }
        let hasSystem = messages.contains { ($0.role == .system && !$0.content.isEmpty) || $0.tools != nil }
        if hasSystem { warnings.append(.systemMessageWithImage) }
        return warnings
    }
}
