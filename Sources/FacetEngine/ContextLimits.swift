/// How long a conversation may be: positions of the model and rows of the cache, counted apart.
///
/// A picture takes three prompt tokens and one position for all its patches, but one cache row per patch and two
/// more. With N prompt tokens, P patches and n new tokens:
///
///     positions   N + n            ≤ positionLimit
///     rows        N − 1 + P + n    ≤ cacheRowLimit     (without a picture: N + n)
public struct ContextLimits: Sendable, Hashable {
    /// Positions that the model knows.
    public var positionLimit: Int

    /// Rows that one request can have in the cache.
    public var cacheRowLimit: Int

    /// Most prompt and new tokens together that the checkpoint recommends; nil for no opinion.
    public var recommendedLength: Int?

    /// New tokens when the caller names no number, as in the published demos.
    public var defaultMaxTokens = 1024

    /// Describes the limits.
    public init(positionLimit: Int, cacheRowLimit: Int, recommendedLength: Int? = nil) {
        self.positionLimit = positionLimit
        self.cacheRowLimit = cacheRowLimit
        self.recommendedLength = recommendedLength
    }

    /// How many tokens may be generated after a prompt.
    ///
    /// - Parameters:
    ///   - promptTokens: unexpanded prompt ids (N).
    ///   - promptRows: cache rows of the prompt.
    ///   - requested: what the caller asked for; nil for as many as fit, up to `defaultMaxTokens`.
    /// - Returns: `requested`, or at least 1.
    /// - Throws: `.promptTooLong`, `.cacheTooSmall`.
    public func newTokenCount(promptTokens: Int, promptRows: Int, requested: Int?) throws(EngineError) -> Int {
        let wanted = requested ?? 1
        guard promptTokens + wanted <= positionLimit else {
            throw .promptTooLong(promptTokens: promptTokens, newTokens: wanted, limit: positionLimit)
        }
        guard promptRows + wanted <= cacheRowLimit else {
            throw .cacheTooSmall(promptRows: promptRows, newTokens: wanted, limit: cacheRowLimit)
        }
        if let requested { return requested }
        let recommended = max((recommendedLength ?? .max) - promptTokens, 1)
        return min(defaultMaxTokens, recommended, positionLimit - promptTokens, cacheRowLimit - promptRows)
    }
}
