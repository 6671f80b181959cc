/// What an engine has done and holds, at one moment.
public struct EngineMetrics: Sendable, Hashable {
    /// Requests taken into the queue.
    public var acceptedCount = 0

    /// Requests that were refused: busy, too long, invalid, shut down.
    public var refusedCount = 0

    /// Answers that ended by themselves.
    public var finishedCount = 0

    /// Requests that were cancelled.
    public var cancelledCount = 0

    /// Requests that failed after they were accepted.
    public var failedCount = 0

    /// Batches computed.
    public var stepCount = 0

    /// Rows computed, prompt and generated.
    public var computedRowCount = 0

    /// Prompt rows that were found in the cache.
    public var reusedRowCount = 0

    /// Tokens generated.
    public var generatedTokenCount = 0

    /// Pictures encoded.
    public var encodedImageCount = 0

    /// Pictures whose features were still there.
    public var reusedImageCount = 0

    /// Requests that wait now.
    public var waitingCount = 0

    /// Requests that run now.
    public var runningCount = 0

    /// Conversations whose cache is kept for a next turn.
    public var retainedCount = 0

    /// Cache pages that a new request could have: free ones and those of kept conversations.
    public var availablePageCount = 0

    /// Cache pages in all.
    public var pageCount = 0

    /// Makes metrics of an engine that has done nothing.
    public init() {}
}
