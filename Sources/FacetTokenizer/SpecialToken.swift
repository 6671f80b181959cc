/// The fourteen special tokens of GLM-4, in the order of their ids after the last rank.
public enum SpecialToken: String, CaseIterable, Sendable {
    /// Ends a text, pads a batch, and holds the place of an image.
    case endOfText = "<|endoftext|>"
    /// Holds the place of a masked word; training only.
    case mask = "[MASK]"
    /// Begins every prompt.
    case generationMask = "[gMASK]"
    /// Holds the place of a masked sentence; training only.
    case sentenceMask = "[sMASK]"
    /// Follows `[gMASK]` at the beginning of every prompt.
    case startOfPiece = "<sop>"
    /// Ends a filled-in place; training only.
    case endOfPiece = "<eop>"
    /// Begins a system message.
    case system = "<|system|>"
    /// Begins a message of the user.
    case user = "<|user|>"
    /// Begins an answer.
    case assistant = "<|assistant|>"
    /// Begins the result of a tool.
    case observation = "<|observation|>"
    /// The first of the three tokens that stand for an image.
    case beginOfImage = "<|begin_of_image|>"
    /// The last of the three tokens that stand for an image.
    case endOfImage = "<|end_of_image|>"
    /// Reserved by the vocabulary.
    case beginOfVideo = "<|begin_of_video|>"
    /// Reserved by the vocabulary.
    case endOfVideo = "<|end_of_video|>"
}

/// The ids of a model's special tokens.
///
/// They follow the ranks without a gap. No text encodes to them: only the chat template writes them.
public struct SpecialTokens: Sendable, Hashable {
    /// The id of the first special token, which is the number of ranks.
    public let firstID: TokenID
    /// What each token is called, by id − `firstID`.
    public let names: [String]

    /// Ends a text, pads a batch, and holds the place of an image.
    public let endOfText: TokenID
    /// `[gMASK]`, the first token of every prompt.
    public let generationMask: TokenID
    /// `<sop>`, the second token of every prompt.
    public let startOfPiece: TokenID
    /// Begins a system message.
    public let system: TokenID
    /// Begins a message of the user.
    public let user: TokenID
    /// Begins an answer.
    public let assistant: TokenID
    /// Begins the result of a tool.
    public let observation: TokenID
    /// The first of the three tokens that stand for an image.
    public let beginOfImage: TokenID
    /// The last of the three tokens that stand for an image.
    public let endOfImage: TokenID

    /// One past the last id that means anything; rows of the embedding from here on are padding.
    public var endID: TokenID { firstID + TokenID(names.count) }

    /// The fourteen tokens in their published order.
    public init(rankCount: Int) {
        // The names are complete, so that looking them up cannot fail.
        self.init(first: TokenID(rankCount), names: SpecialToken.allCases.map(\.rawValue)) { token in
            TokenID(rankCount + (SpecialToken.allCases.firstIndex(of: token) ?? 0))
        }
    }

    /// The tokens of a configuration, whose ids must be the places behind the ranks.
    ///
    /// - Throws: `.specialTokenID` for an id with a gap or clash, `.missingSpecialToken` when one with a role is absent.
    init(rankCount: Int, entries: [(id: Int, name: String)]) throws(TokenizerError) {
        var ids: [String: TokenID] = [:]
        for (offset, entry) in entries.sorted(by: { $0.id < $1.id }).enumerated() {
            guard entry.id == rankCount + offset else {
                throw .specialTokenID(token: entry.name, expected: rankCount + offset, got: entry.id)
            }
            guard ids.updateValue(TokenID(entry.id), forKey: entry.name) == nil else {
                throw .invalidConfiguration(
                    key: "added_tokens_decoder", expected: "each token once", got: "\(entry.name) twice")
            }
        }
        for token in Self.tokensWithRole where ids[token.rawValue] == nil {
            throw .missingSpecialToken(token.rawValue)
        }
        let names = ids.sorted { $0.value < $1.value }.map(\.key)
        self.init(first: TokenID(rankCount), names: names) { ids[$0.rawValue] ?? -1 }
    }

    private init(first: TokenID, names: [String], id: (SpecialToken) -> TokenID) {
        firstID = first
        self.names = names
        endOfText = id(.endOfText)
        generationMask = id(.generationMask)
        startOfPiece = id(.startOfPiece)
        system = id(.system)
        user = id(.user)
        assistant = id(.assistant)
        observation = id(.observation)
        beginOfImage = id(.beginOfImage)
        endOfImage = id(.endOfImage)
    }

    /// The id of a special token, or nil when the model does not have it.
    public func id(of token: SpecialToken) -> TokenID? {
        id(named: token.rawValue)
    }

    /// The id of the special token with this text, or nil.
    public func id(named name: String) -> TokenID? {
        names.firstIndex(of: name).map { firstID + TokenID($0) }
    }

    /// The text of the special token with this id, or nil when the id is none.
    public func name(of id: TokenID) -> String? {
        id >= firstID && id < endID ? names[Int(id - firstID)] : nil
    }

    /// The three tokens that hold the place of an image in a prompt.
    public var imagePlaceholder: [TokenID] { [beginOfImage, endOfText, endOfImage] }

    private static let tokensWithRole: [SpecialToken] = [
        .endOfText, .generationMask, .startOfPiece, .system, .user, .assistant, .observation, .beginOfImage,
        .endOfImage,
    ]
}
