/// A checkpoint folder and what running it asks of this machine.
public struct ModelFacts: Sendable, Hashable, Codable {
    /// The folder as it was given; never part of a bundle.
    public var location: String?
    /// The kind of file system that it is on, such as `ext4` or `nfs4`.
    public var fileSystem: String?
    /// Bytes that are free on it.
    public var freeDiskBytes: Int?
    /// The first thing that is wrong with the folder or its files; nil when they are complete.
    public var filesProblem: String?
    /// Files with weights.
    public var fileCount: Int?
    /// Tensors in them.
    public var tensorCount: Int?
    /// Bytes of all tensors.
    public var weightBytes: Int?
    /// Bytes by dtype.
    public var bytesByDtype: [String: Int]?
    /// What is wrong with the configuration.
    public var configurationProblem: String?
    /// Fields of the configuration that nothing here reads.
    public var unknownFields: [String]?
    /// The first difference between the tensors and what the configuration calls for.
    public var tensorsProblem: String?
    /// What is wrong with the tokenizer.
    public var tokenizerProblem: String?
    /// Tokens of the tokenizer.
    public var tokenCount: Int?
    /// Bytes that a run takes besides the weights: cache, activations, logits.
    public var workBytes: Int?
    /// How the weights would be kept: `packed`, `mapped` or `streamed`.
    public var residency: String?
    /// The plan for the cards that were found; nil when there are none.
    public var cardPlan: CardPlanFacts?

    /// Nothing known yet.
    public init() {}
}

/// Whether a model fits the cards.
public struct CardPlanFacts: Sendable, Hashable, Codable {
    /// Whether it does.
    public var fits: Bool
    /// What each card would hold, or what is missing.
    public var summary: String

    /// States a plan.
    public init(fits: Bool, summary: String) {
        self.fits = fits
        self.summary = summary
    }
}
