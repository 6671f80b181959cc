/// What the scheduler may fill: the model's sizes and the engine's queues.
package struct SchedulerLimits: Sendable, Hashable {
    /// Rows of one batch.
    package var maxRows: Int

    /// Requests that run at a time.
    package var maxSequences: Int

    /// Tokens of one cache page.
    package var pageSize: Int

    /// Cache pages.
    package var pageCount: Int

    /// Pictures whose features are kept.
    package var maxImages: Int

    /// Requests that wait before the engine answers that it is busy.
    package var maxWaiting: Int

    /// Finished requests whose cache is kept for a next turn; 0 keeps none.
    package var maxRetained: Int

    /// Batches that may be in progress at a time.
    package var pipelineDepth: Int

    /// Describes the limits.
    ///
    /// - Precondition: a batch has room for one row of every sequence.
    package init(
        maxRows: Int, maxSequences: Int, pageSize: Int, pageCount: Int, maxImages: Int, maxWaiting: Int,
        maxRetained: Int, pipelineDepth: Int = 1
    ) {
        precondition(pipelineDepth > 0, "a pipeline of \(pipelineDepth) batches")
        precondition(maxSequences > 0 && maxRows >= maxSequences, "\(maxRows) rows for \(maxSequences) sequences")
        self.maxRows = maxRows
        self.maxSequences = maxSequences
        self.pageSize = pageSize
        self.pageCount = pageCount
        self.maxImages = maxImages
        self.maxWaiting = maxWaiting
        self.maxRetained = maxRetained
        self.pipelineDepth = pipelineDepth
    }
}
