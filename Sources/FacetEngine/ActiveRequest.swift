import FacetTokenizer

/// Everything the engine keeps for a request beside its sequence: text, draws, times and the way back.
struct ActiveRequest {
    typealias Continuation = AsyncThrowingStream<GenerationEvent, any Error>.Continuation

    let request: Request
    let seed: UInt64
    var sampler: Sampler
    var answer: AnswerText
    var timings = Timings()

    private var pixels: [Float]?
    private let continuation: Continuation
    private let submitted: Duration
    private var prefillStart: Duration?
    private var firstToken: Duration?
    private var reusedRowCount = 0
    private var tokenIDs: [Int32] = []

    init(_ request: Request, tokenizer: Tokenizer, continuation: Continuation, submitted: Duration) {
        self.request = request
        self.continuation = continuation
        self.submitted = submitted
        seed = request.sampling.seed ?? UInt64.random(in: .min ... .max)
        sampler = Sampler(request.sampling, seed: seed, prompt: request.prompt.tokenIDs)
        answer = AnswerText(tokenizer: tokenizer, stopStrings: request.sampling.stopStrings)
        pixels = request.prompt.image?.pixels
    }

    mutating func start(reusedRowCount: Int, at now: Duration) {
        self.reusedRowCount = reusedRowCount
        timings.queue = now - submitted
    }

    /// The picture, for whoever encodes it: it is given up here.
    mutating func takePixels() -> [Float]? {
        defer { pixels = nil }
        return pixels
    }

    func reportEncoding(_ share: Double) { continuation.yield(.encodingImage(share)) }

    mutating func reportImage(_ duration: Duration) {
        timings.image = duration
        continuation.yield(.imageEncoded(duration))
    }

    mutating func willCompute(at now: Duration) { prefillStart = prefillStart ?? now }

    /// Reports what a step did for this request.
    ///
    /// - Returns: whether a stop string is complete.
    mutating func report(_ outcome: Scheduler.Outcome, at now: Duration) -> Bool {
        if firstToken == nil {
            continuation.yield(
                .prefill(
                    PrefillProgress(
                        reusedRowCount: reusedRowCount, cachedRowCount: outcome.cachedPromptRows,
                        totalRowCount: request.prompt.rows.count)))
        }
        guard outcome.tokenID != nil || outcome.finish != nil else { return false }
        noteToken(at: now)
        guard let id = outcome.tokenID else { return false }
        tokenIDs.append(id)
        let (text, isStopped) = answer.append(id)
        continuation.yield(.token(id: id, text: text))
        return isStopped
    }

    private mutating func noteToken(at now: Duration) {
        if let firstToken {
            timings.decode = now - firstToken
            timings.decodedTokenCount += 1
        } else {
            firstToken = now
            timings.timeToFirstToken = now - submitted
            timings.prefill = now - (prefillStart ?? now)
        }
    }

    /// Ends the stream with the answer.
    mutating func finish(_ reason: FinishReason) {
        // After a stop string nothing is shown any more, held back or not.
        var reason = reason
        if reason != .stopString {
            let (rest, isStopped) = answer.finish()
            if isStopped && reason != .cancelled { reason = .stopString }
            if !rest.isEmpty { continuation.yield(.text(rest)) }
        }
        let prompt = request.prompt
        let usage = Usage(
            promptTokenCount: prompt.tokenIDs.count, imageTokenCount: prompt.imageTokenCount,
            reusedRowCount: reusedRowCount, generatedTokenCount: tokenIDs.count)
        continuation.yield(
            .finished(
                Completion(
                    reason: reason, text: answer.text, tokenIDs: tokenIDs, usage: usage, timings: timings, seed: seed)))
        continuation.finish()
    }

    /// Ends the stream with an error.
    func fail(_ error: EngineError) { continuation.finish(throwing: error) }
}
