import FacetModel
public import FacetTokenizer
public import Logging
import Synchronization

/// Turns requests into batches and batches into streams of tokens.
///
/// One actor on a thread of its own feeds the model. Its mailbox is the request queue: the loop runs one step, then
/// yields, and whoever waits at the door enters between steps. Without requests the thread sleeps.
///
/// It does not know where prompts come from (`PromptBuilder`), how rows are chosen (`Scheduler`) or computed
/// (`Runner`). One step: drop what was cancelled → admit → go on with a picture → enqueue batches until the pipeline is
/// full → wait for the oldest → sample → report. So pictures are encoded while answers go on.
public actor Engine {
    /// How the engine queues and what it keeps.
    public struct Limits: Sendable, Hashable {
        /// Requests that wait before the engine answers that it is busy.
        public var maxWaiting = 64

        /// Finished conversations whose cache is kept for a next turn; 0 keeps none.
        public var maxRetained = 8

        /// The defaults.
        public init() {}
    }

    /// The stream of one request.
    public typealias Events = AsyncThrowingStream<GenerationEvent, any Error>

    /// How long a conversation may be.
    public nonisolated let context: ContextLimits

    private let executor: DedicatedExecutor
    private let runner: any Runner
    private let tokenizer: Tokenizer
    private let clock: EngineClock
    private let logger: Logger
    private let doorLimit: Int
    private nonisolated let atTheDoor = Atomic<Int>(0)

    private var scheduler: Scheduler
    private var requests: [RequestID: ActiveRequest] = [:]
    private var heap = CandidateHeap()
    private var counters = EngineMetrics()
    // The batches in progress, the oldest first.
    private var batches: [ForwardBatch] = []
    // Pictures to encode, in the order of their requests; the first may be on its way.
    private var pictures: [PendingPicture] = []
    private var nextID = 0
    private var isRunning = false
    private var isShutDown = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private struct PendingPicture {
        let image: ImageID
        let pixels: [Float]
        /// When it was begun; nil while it waits.
        var start: Duration?
        /// The share that has been encoded, as last reported.
        var share = 0.0
    }

    /// Starts an engine around a model.
    ///
    /// - Parameters:
    ///   - runner: the model; the engine's thread is the only one to touch it from now on.
    ///   - tokenizer: turns ids into text.
    ///   - context: how long a conversation may be.
    ///   - logger: gets counts and durations, never text or pictures; silent unless given.
    /// - Throws: `.noThread`.
    public init(
        runner: sending any Runner, tokenizer: Tokenizer, context: ContextLimits, limits: Limits = Limits(),
        clock: EngineClock = .continuous,
        logger: Logger = Logger(label: "facet.engine") { _ in SwiftLogNoOpLogHandler() }
    ) throws(EngineError) {
        let sizes = runner.limits
        executor = try DedicatedExecutor()
        scheduler = Scheduler(
            limits: SchedulerLimits(
                maxRows: sizes.maxRows, maxSequences: sizes.maxSequences, pageSize: sizes.pageSize,
                pageCount: sizes.pageCount, maxImages: sizes.maxImages, maxWaiting: limits.maxWaiting,
                maxRetained: limits.maxRetained, pipelineDepth: runner.pipelineDepth))
        doorLimit = limits.maxWaiting + sizes.maxSequences
        self.runner = runner
        self.tokenizer = tokenizer
        self.context = context
        self.clock = clock
        self.logger = logger
    }

    deinit { executor.stop() }

    // MARK: Requests

    /// Takes a request and reports about it.
    ///
    /// Returns at once; every error, refusal included, comes through the stream. Leaving the stream (its task is
    /// cancelled, or nobody holds it) cancels the request; `Request.cancel` does so and still delivers the answer
    /// so far.
    public nonisolated func submit(_ request: Request) -> Events {
        let (stream, continuation) = Events.makeStream()
        // Counted outside the actor, so that a full house answers even while a long step runs.
        let present = atTheDoor.add(1, ordering: .relaxed).newValue
        guard present <= doorLimit else {
            atTheDoor.subtract(1, ordering: .relaxed)
            continuation.finish(throwing: EngineError.busy(waiting: present - 1))
            return stream
        }
        continuation.onTermination = { _ in request.cancel() }
        let submitted = clock.now()
        Task { await self.accept(request, continuation, submitted) }
        return stream
    }

    private func accept(_ request: Request, _ continuation: Events.Continuation, _ submitted: Duration) {
        do throws(EngineError) {
            let id = RequestID(nextID)
            try scheduler.enqueue(checked(request, id))
            nextID += 1
            requests[id] = ActiveRequest(
                request, tokenizer: tokenizer, continuation: continuation, submitted: submitted)
            counters.acceptedCount += 1
            logger.debug(
                "request accepted", metadata: ["request": "\(id)", "prompt_rows": "\(request.prompt.rowCount)"])
        } catch {
            atTheDoor.subtract(1, ordering: .relaxed)
            counters.refusedCount += 1
            continuation.finish(throwing: error)
            return
        }
        guard !isRunning else { return }
        isRunning = true
        Task { await self.run() }
    }

    private func checked(_ request: Request, _ id: RequestID) throws(EngineError) -> SequenceState {
        guard !isShutDown else { throw .shutDown }
        let prompt = request.prompt
        try request.sampling.validate()
        if let bad = prompt.tokenIDs.first(where: { $0 < 0 || $0 >= runner.vocabularySize }) {
            throw .unknownToken(id: bad, vocabularySize: runner.vocabularySize)
        }
        let newTokens = try context.newTokenCount(
            promptTokens: prompt.tokenIDs.count, promptRows: prompt.rowCount, requested: request.sampling.maxTokens)
        return SequenceState(
            id: id, rows: prompt.rows, maxNewTokens: newTokens, stopIDs: request.sampling.stopTokenIDs)
    }

    /// Ends every request as cancelled and refuses new ones.
    public func shutDown() {
        isShutDown = true
        for id in requests.keys.sorted() { end(id, .cancelled) }
        logger.debug("engine shut down")
    }

    /// What the engine has done and holds now.
    public func metrics() -> EngineMetrics {
        var metrics = counters
        metrics.waitingCount = scheduler.waitingCount
        metrics.runningCount = scheduler.runningCount
        metrics.retainedCount = scheduler.retainedCount
        metrics.availablePageCount = scheduler.availablePageCount
        metrics.pageCount = scheduler.limits.pageCount
        return metrics
    }

    /// What each device was expected to hold, and what it holds now; empty where nobody knows.
    public func deviceReports() -> [DeviceReport] { runner.deviceReports() }

    // MARK: The loop

    private func run() async {
        while step() { await Task.yield() }
        isRunning = false
    }

    /// Does one step.
    ///
    /// - Returns: whether there is more to do.
    private func step() -> Bool {
        for id in requests.keys.sorted() where requests[id]?.request.isCancelled == true { end(id, .cancelled) }
        dropUnneededPictures()
        while let admission = scheduler.admitNext() { start(admission) }
        advancePicture(waits: false)
        while scheduler.inFlightCount < scheduler.limits.pipelineDepth, let batch = scheduler.next() { begin(batch) }
        if let batch = batches.first { finish(batch) } else { advancePicture(waits: true) }
        assert(scheduler.checkIntegrity() == nil, scheduler.checkIntegrity() ?? "")
        return scheduler.hasWork
    }

    private func start(_ admission: Scheduler.Admission) {
        requests[admission.id]?.start(reusedRowCount: admission.reusedRowCount, at: clock.now())
        counters.reusedRowCount += admission.reusedRowCount
        switch admission.image {
        case nil: break
        case .resident: counters.reusedImageCount += 1
        case .encode(let image, let evicted):
            if let evicted { runner.release(evicted) }
            pictures.append(PendingPicture(image: image, pixels: requests[admission.id]?.takePixels() ?? []))
        }
    }

    // MARK: Pictures

    /// Goes on with the oldest picture, or begins it.
    private func advancePicture(waits: Bool) {
        guard let picture = pictures.first else { return }
        do throws(EngineError) {
            if picture.start == nil {
                pictures[0].start = clock.now()
                try runner.beginEncoding(picture.image, pixels: picture.pixels)
            }
            let share = try runner.advanceEncoding(waits: waits)
            guard share < 1 else { return finishPicture() }
            guard share > picture.share else { return }
            pictures[0].share = share
            for id in scheduler.requests(needing: picture.image) { requests[id]?.reportEncoding(share) }
        } catch .nonFinite(let layer) {
            failPicture(.nonFinite(layer: layer))
        } catch {
            failEverythingInProgress(error)
        }
    }

    private func finishPicture() {
        let picture = pictures.removeFirst()
        let duration = clock.now() - (picture.start ?? clock.now())
        for id in scheduler.requests(needing: picture.image) { requests[id]?.reportImage(duration) }
        scheduler.finish(picture.image)
        counters.encodedImageCount += 1
        logger.debug("image encoded", metadata: ["image": "\(picture.image.rawValue)", "duration": "\(duration)"])
    }

    /// Ends the requests that need the picture on its way.
    private func failPicture(_ error: EngineError) {
        let picture = pictures.removeFirst()
        for id in scheduler.requests(needing: picture.image) { fail(id, error) }
        scheduler.forget(picture.image)
    }

    /// Gives up the pictures whose requests have all ended.
    private func dropUnneededPictures() {
        for picture in pictures where !scheduler.vision.isNeeded(picture.image) {
            if picture.start != nil { runner.abandonEncoding() }
            scheduler.forget(picture.image)
            pictures.removeAll { $0.image == picture.image }
        }
    }

    // MARK: Batches

    private func begin(_ planned: ForwardBatch) {
        var batch = planned
        batch.sufficientLogits = sufficientLogits(scheduler.batchIDs)
        let start = clock.now()
        for id in scheduler.batchIDs { requests[id]?.willCompute(at: start) }
        counters.stepCount += 1
        counters.computedRowCount += batch.rowCount
        batches.append(batch)
        do throws(EngineError) { try runner.enqueue(batch) } catch { failEverythingInProgress(error) }
    }

    private func finish(_ batch: ForwardBatch) {
        do throws(EngineError) {
            let logits = try runner.collect()
            batches.removeFirst()
            let (sampled, failed) = try sample(logits, of: batch)
            // Located before the batch is completed: the cache must still be as it was.
            let error = failed.isEmpty ? nil : EngineError.nonFinite(layer: runner.locateNonFinite(batch) ?? "logits")
            let outcomes = scheduler.complete(sampled)
            if let error { failed.forEach { fail($0, error) } }
            outcomes.forEach { report($0) }
        } catch {
            failEverythingInProgress(error)
        }
    }

    /// Gives up everything in progress, since a device failed; what waits goes on.
    private func failEverythingInProgress(_ error: EngineError) {
        batches = []
        for id in scheduler.dropBatches() { fail(id, error) }
        if pictures.first?.start != nil { failPicture(error) }
    }

    /// How many of the best logits suffice for every one of the requests; nil when one needs whole rows.
    private func sufficientLogits(_ ids: [RequestID]) -> Int? {
        var most = 1
        for id in ids {
            guard let count = requests[id]?.sampler.sufficientLogits(of: runner.vocabularySize) else { return nil }
            most = max(most, count)
        }
        return most
    }

    /// Chooses the next token of each sampled row; a row without finite logits has none.
    private func sample(
        _ logits: Logits, of batch: ForwardBatch
    ) throws(EngineError) -> (ids: [Int32?], failed: [RequestID]) {
        var logits = logits
        var failed: [RequestID] = []
        var ids: [Int32?] = []
        for (row, id) in scheduler.sampledIDs.enumerated() {
            if let best = logits.best(row), requests[id]?.sampler.isDecided(by: best) == false {
                logits = try runner.repeatForAllLogits(batch)
            }
            do throws(Sampler.NonFiniteLogit) { ids.append(try sample(row, of: logits, for: id)) } catch {
                failed.append(id)
                ids.append(nil)
            }
        }
        return (ids, failed)
    }

    private func sample(
        _ row: Int, of logits: Logits, for id: RequestID
    ) throws(Sampler.NonFiniteLogit) -> Int32? {
        if let best = logits.best(row) { return try requests[id]?.sampler.sample(best) }
        return try logits.withRow(row) { (logits) throws(Sampler.NonFiniteLogit) -> Int32? in
            try requests[id]?.sampler.sample(logits, &heap)
        }
    }

    private func report(_ outcome: Scheduler.Outcome) {
        if outcome.tokenID != nil { counters.generatedTokenCount += 1 }
        let isStopped = requests[outcome.id]?.report(outcome, at: clock.now()) ?? false
        if isStopped { return end(outcome.id, .stopString) }
        if let reason = outcome.finish { end(outcome.id, reason) }
    }

    // MARK: Endings

    private func end(_ id: RequestID, _ reason: FinishReason) {
        scheduler.end(id, keepingCache: true)
        guard var request = requests.removeValue(forKey: id) else { return }
        atTheDoor.subtract(1, ordering: .relaxed)
        if reason == .cancelled { counters.cancelledCount += 1 } else { counters.finishedCount += 1 }
        request.finish(reason)
        logger.debug("request ended", metadata: ["request": "\(id)", "reason": "\(reason.rawValue)"])
    }

    private func fail(_ id: RequestID, _ error: EngineError) {
        scheduler.end(id, keepingCache: false)
        guard let request = requests.removeValue(forKey: id) else { return }
        atTheDoor.subtract(1, ordering: .relaxed)
        counters.failedCount += 1
        request.fail(error)
        logger.error("request failed", metadata: ["request": "\(id)", "error": "\(error)"])
    }
}
