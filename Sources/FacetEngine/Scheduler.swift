package import FacetModel

/// Decides which rows are computed next.
///
/// A plain value: no clock, no concurrency, no tensors, no text.
///
/// One step is `admitNext` until nil, `next`, the forward pass and sampling elsewhere, `complete`.
///
/// - Several batches may be in progress; they end in the order in which they began. The rows of one prompt may be in
///   several of them, since no row waits for a sampled token before the prompt's last.
/// - A request is admitted when the cache has pages for its whole prompt and answer, so nothing fails midway;
///   requests are admitted in the order of arrival, and none overtakes another.
/// - A request whose picture is being encoded waits, and the others go on.
/// - A batch holds one row of every decoding sequence first, then prompt rows, oldest request first, until it is
///   full. With a pipeline the sequences are shared out among its batches. So an answer in progress never waits for a prompt, and a long prompt is computed in chunks.
/// - The cache of a finished request is kept. A later request that begins with the same rows takes it over, row
///   for row, and computes only what is new. Kept caches give way, least recently used first, when pages are needed.
package struct Scheduler: Sendable {
    /// A request that started, and what must be done before its first batch.
    package struct Admission: Sendable {
        /// The request.
        package let id: RequestID

        /// Leading prompt rows that were found in the cache.
        package let reusedRowCount: Int

        /// What its picture needs; nil when it has none or the picture's rows are in the cache.
        package let image: VisionCache.Acquisition?
    }

    /// What a step did for one request.
    package struct Outcome: Sendable {
        /// The request.
        package let id: RequestID

        /// Prompt rows that are now in the cache.
        package let cachedPromptRows: Int

        /// The new token; nil while the prompt is not complete, and for a stop id.
        package let tokenID: Int32?

        /// Why the request ended, or nil when it goes on.
        package let finish: FinishReason?
    }

    private struct Share {
        let id: RequestID
        let rowCount: Int
        let isSampled: Bool
    }

    /// The limits it works within.
    package let limits: SchedulerLimits

    /// Which cache pages are whose.
    package private(set) var pool: PagePool
    /// Which pictures are encoded, and who refers to them.
    package private(set) var vision: VisionCache
    private var waiting: [SequenceState] = []
    private var running: [SequenceState] = []
    // Least recently used first.
    private var retained: [RetainedSequence] = []
    // The oldest batch first.
    private var inFlight: [[Share]] = []

    /// Makes a scheduler with nothing to do.
    package init(limits: SchedulerLimits) {
        self.limits = limits
        pool = PagePool(pageCount: limits.pageCount, pageSize: limits.pageSize)
        vision = VisionCache(capacity: limits.maxImages)
    }

    // MARK: State

    /// Whether any request waits or runs.
    package var hasWork: Bool { !waiting.isEmpty || !running.isEmpty }

    /// Requests that wait.
    package var waitingCount: Int { waiting.count }

    /// Requests that run.
    package var runningCount: Int { running.count }

    /// Finished requests whose cache is kept.
    package var retainedCount: Int { retained.count }

    /// Pages that a new request can have: free ones and those of kept caches.
    package var availablePageCount: Int {
        retained.reduce(pool.freePageCount) { $0 + pool.pages(of: $1.id).count }
    }

    /// Batches in progress.
    package var inFlightCount: Int { inFlight.count }

    /// The requests of the oldest batch in progress whose logits are sampled, in the order of its `sampledRows`.
    package var sampledIDs: [RequestID] { (inFlight.first ?? []).filter(\.isSampled).map(\.id) }

    /// The requests of the newest batch in progress.
    package var batchIDs: [RequestID] { (inFlight.last ?? []).map(\.id) }

    // MARK: Arrival

    /// Takes a request into the queue.
    ///
    /// - Throws: `.busy` when the queue is full, `.cacheTooSmall` when the request could never be admitted.
    package mutating func enqueue(_ sequence: SequenceState) throws(EngineError) {
        let capacity = limits.pageCount * limits.pageSize
        guard sequence.rowBudget <= capacity else {
            throw .cacheTooSmall(
                promptRows: sequence.rows.count, newTokens: sequence.maxNewTokens, limit: capacity)
        }
        guard sequence.rows.imageRows == nil || limits.maxImages > 0 else { throw .noImageSlot }
        guard waiting.count < limits.maxWaiting || canStartAtOnce else { throw .busy(waiting: waiting.count) }
        waiting.append(sequence)
    }

    // A queue of length 0 still serves whoever finds the engine free.
    private var canStartAtOnce: Bool { waiting.isEmpty && running.count < limits.maxSequences }

    // MARK: Admission

    /// Starts the request that has waited longest, if sequences, pages and a picture slot allow.
    package mutating func admitNext() -> Admission? {
        guard running.count < limits.maxSequences, var sequence = waiting.first else { return nil }
        let needed = pool.pageCount(forRows: sequence.rowBudget)
        guard availablePageCount >= needed else { return nil }

        let match = reusable(for: sequence, pagesNeeded: needed)
        let reused = match?.rowCount ?? 0
        var acquisition: VisionCache.Acquisition?
        if let hash = sequence.rows.imageHash, reused < (sequence.rows.imageRows?.upperBound ?? 0) {
            guard let acquired = vision.acquire(hash) else { return nil }
            acquisition = acquired
            sequence.image = acquired.image
        }

        waiting.removeFirst()
        if let match {
            let source = retained.remove(at: match.index)
            pool.transfer(from: source.id, to: sequence.id)
            pool.shrink(sequence.id, to: needed)
            sequence.adopt(rowCount: reused)
        }
        while !pool.reserve(needed, for: sequence.id) {
            precondition(!retained.isEmpty, "\(needed) pages were available a moment ago")
            pool.release(retained.removeFirst().id)
        }
        running.append(sequence)
        return Admission(id: sequence.id, reusedRowCount: reused, image: acquisition)
    }

    /// The kept cache that shares most rows with a prompt, unless taking it over costs more than it saves.
    ///
    /// The rows that a taken cache does not share are lost. So a short common beginning (a greeting, a role token)
    /// does not destroy a long conversation while there are pages for both; the same question asked again may
    /// drop the answer of the first time.
    private func reusable(for sequence: SequenceState, pagesNeeded: Int) -> (index: Int, rowCount: Int)? {
        var best: (index: Int, rowCount: Int)?
        for (index, candidate) in retained.enumerated() {
            // The last prompt row is always computed: its logits give the first token.
            let count = min(candidate.commonPrefix(with: sequence.rows), sequence.rows.count - 1)
            if count > 0 && count >= best?.rowCount ?? 0 { best = (index, count) }
        }
        guard let best else { return nil }
        let source = retained[best.index]
        let isWorthIt = 2 * best.rowCount >= source.tokenIDs.count || best.rowCount >= source.promptRowCount - 1
        return isWorthIt || pool.freePageCount < pagesNeeded ? best : nil
    }

    // MARK: Steps

    /// The next batch, or nil when nothing can be computed before a batch in progress is complete or a picture encoded.
    ///
    /// - Precondition: fewer batches are in progress than the pipeline is deep.
    package mutating func next() -> ForwardBatch? {
        precondition(inFlight.count < limits.pipelineDepth, "\(inFlight.count) batches are still in progress")
        // Equal parts, so that no stage of the pipeline stands idle.
        let mostSequences = (running.count + limits.pipelineDepth - 1) / limits.pipelineDepth
        var batch = ForwardBatch()
        var shares: [Share] = []
        let ready = running.indices.filter { isReady(running[$0]) }
        for index in ready where running[index].isDecoding && shares.count < mostSequences {
            shares.append(take(1, at: index, into: &batch))
        }
        for index in ready where !running[index].isDecoding && shares.count < mostSequences {
            let count = min(running[index].pendingCount, limits.maxRows - batch.rowCount)
            guard count > 0 else { break }
            shares.append(take(count, at: index, into: &batch))
        }
        guard !shares.isEmpty else { return nil }
        inFlight.append(shares)
        return batch
    }

    /// Whether a sequence has rows that can be computed now.
    private func isReady(_ sequence: SequenceState) -> Bool {
        sequence.pendingCount > 0 && sequence.endsKeepingCache == nil
            && sequence.image.map(vision.isEncoded) ?? true
    }

    private mutating func take(_ count: Int, at index: Int, into batch: inout ForwardBatch) -> Share {
        let sequence = running[index]
        let isSampled = count == sequence.pendingCount
        batch.append(sequence, rowCount: count, pages: pool.pages(of: sequence.id), pageSize: limits.pageSize)
        if isSampled { batch.sampledRows.append(Int32(batch.rowCount - 1)) }
        running[index].begin(count)
        return Share(id: sequence.id, rowCount: count, isSampled: isSampled)
    }

    /// Takes the ids sampled from the oldest batch's `sampledRows`, in their order; nil ends a request as failed.
    ///
    /// - Returns: one outcome per request of the batch that neither failed nor was ended meanwhile.
    package mutating func complete(_ sampled: [Int32?]) -> [Outcome] {
        precondition(!inFlight.isEmpty, "no batch is in progress")
        let shares = inFlight.removeFirst()
        precondition(sampled.count == shares.count(where: \.isSampled), "one id for every sampled row")
        var ids = sampled[...]
        var outcomes: [Outcome] = []
        for share in shares {
            if let outcome = complete(share, sampled: share.isSampled ? ids.removeFirst() : nil) {
                outcomes.append(outcome)
            }
        }
        return outcomes
    }

    private mutating func complete(_ share: Share, sampled: Int32?) -> Outcome? {
        guard let index = running.firstIndex(where: { $0.id == share.id }) else { return nil }
        running[index].advance(share.rowCount)
        if let keepingCache = running[index].endsKeepingCache {
            if running[index].inFlightCount == 0 { remove(at: index, keepingCache: keepingCache) }
            return nil
        }
        if share.isSampled && sampled == nil {
            remove(at: index, keepingCache: false)
            return nil
        }
        releaseImageIfUnneeded(at: index)
        let generatedBefore = running[index].generated.count
        let finish = sampled.flatMap { running[index].append($0) }
        let sequence = running[index]
        if finish != nil { remove(at: index, keepingCache: true) }
        return Outcome(
            id: share.id,
            cachedPromptRows: min(sequence.cachedCount, sequence.rows.count),
            tokenID: sequence.generated.count > generatedBefore ? sequence.generated.last : nil,
            finish: finish
        )
    }

    /// Gives up all batches in progress: their requests end as failed.
    ///
    /// - Returns: the requests.
    package mutating func dropBatches() -> [RequestID] {
        let ids = Set(inFlight.joined().map(\.id)).sorted()
        inFlight = []
        for id in ids {
            if let index = running.firstIndex(where: { $0.id == id }) { running[index].abandon() }
            end(id, keepingCache: false)
        }
        return ids
    }

    // MARK: Endings

    /// Ends a request from outside: cancelled, a stop string, a failure.
    ///
    /// A request with rows in progress gives up its pages when these are complete.
    /// - Parameter keepingCache: whether what is cached may serve a next turn; false after a failure.
    package mutating func end(_ id: RequestID, keepingCache: Bool) {
        waiting.removeAll { $0.id == id }
        guard let index = running.firstIndex(where: { $0.id == id }) else { return }
        if running[index].inFlightCount > 0 {
            running[index].endsKeepingCache = keepingCache
        } else {
            remove(at: index, keepingCache: keepingCache)
        }
    }

    /// Notes that a picture is encoded: the requests that wait for it can go on.
    package mutating func finish(_ image: ImageID) { vision.finish(image) }

    /// Requests that run and need a picture's features.
    package func requests(needing image: ImageID) -> [RequestID] { running.filter { $0.image == image }.map(\.id) }

    /// Forgets a picture that could not be encoded, or need not be.
    package mutating func forget(_ image: ImageID) { vision.remove(image) }

    private mutating func remove(at index: Int, keepingCache: Bool) {
        let sequence = running.remove(at: index)
        if let image = sequence.image { vision.release(image) }
        guard keepingCache && sequence.cachedCount > 0 && limits.maxRetained > 0 else {
            pool.release(sequence.id)
            return
        }
        pool.shrink(sequence.id, to: pool.pageCount(forRows: sequence.cachedCount))
        retained.append(RetainedSequence(sequence))
        while retained.count > limits.maxRetained { pool.release(retained.removeFirst().id) }
    }

    private mutating func releaseImageIfUnneeded(at index: Int) {
        guard let image = running[index].image, !running[index].needsImage else { return }
        vision.release(image)
        running[index].image = nil
    }

    // MARK: Checks

    /// Looks for a broken invariant of the scheduler or of its pool.
    ///
    /// - Returns: nil when all is well, otherwise what is wrong.
    package func checkIntegrity() -> String? {
        if let problem = pool.checkIntegrity() { return problem }
        for sequence in running where pool.pages(of: sequence.id).count * limits.pageSize < sequence.rowBudget {
            return "request \(sequence.id) runs without pages for its whole answer"
        }
        let owners = running.map(\.id) + retained.map(\.id)
        guard Set(owners).count == owners.count else { return "a request both runs and is kept" }
        let owned = owners.reduce(0) { $0 + pool.pages(of: $1).count }
        guard owned + pool.freePageCount == pool.pageCount else { return "a page belongs to nobody" }
        guard running.count <= limits.maxSequences else { return "\(running.count) sequences run" }
        return nil
    }
}

extension ForwardBatch {
    /// Adds the next rows of a sequence.
    fileprivate mutating func append(_ sequence: SequenceState, rowCount count: Int, pages: [Int32], pageSize: Int) {
        let first = rowCount
        let range = sequence.nextIndex..<(sequence.nextIndex + count)
        for index in range {
            let (tokenID, position) = sequence.row(index)
            tokenIDs.append(tokenID)
            positions.append(position)
            slots.append(pages[index / pageSize] * Int32(pageSize) + Int32(index % pageSize))
        }
        offsets.append(Int32(rowCount))
        contextLengths.append(Int32(range.upperBound))
        self.pages.append(Array(pages.prefix((range.upperBound + pageSize - 1) / pageSize)))

        guard let image = sequence.image, let imageRows = sequence.rows.imageRows else { return }
        let part = imageRows.clamped(to: range)
        guard !part.isEmpty else { return }
        let start = first + part.lowerBound - range.lowerBound
        let feature = part.lowerBound - imageRows.lowerBound
        imageSpans.append(
            ImageSpan(
                image: image, rows: start..<(start + part.count), featureRows: feature..<(feature + part.count)))
    }
}
