import FacetEngine
import FacetModel
import Testing

/// Limits small enough to follow by hand.
func smallLimits(
    maxRows: Int = 8, maxSequences: Int = 2, pageSize: Int = 4, pageCount: Int = 16, maxImages: Int = 1,
    maxWaiting: Int = 8, maxRetained: Int = 4
) -> SchedulerLimits {
    SchedulerLimits(
        maxRows: maxRows, maxSequences: maxSequences, pageSize: pageSize, pageCount: pageCount, maxImages: maxImages,
        maxWaiting: maxWaiting, maxRetained: maxRetained)
}

/// A text request of ids counted from `first`.
func textSequence(
    _ id: Int, _ count: Int, maxNewTokens: Int = 3, first: Int32 = 100, stopIDs: [Int32] = [9]
) -> SequenceState {
    let rows = PromptRows(
        tokenIDs: (0..<Int32(count)).map { first + $0 }, positions: (0..<Int32(count)).map { $0 })
    return SequenceState(id: RequestID(id), rows: rows, maxNewTokens: maxNewTokens, stopIDs: stopIDs)
}

/// Nothing came where something must.
private struct Missing: Error {}

private func nextBatch(_ scheduler: inout Scheduler) throws -> ForwardBatch {
    guard let batch = scheduler.next() else { throw Missing() }
    return batch
}

private func admit(_ scheduler: inout Scheduler) throws -> Scheduler.Admission {
    guard let admission = scheduler.admitNext() else { throw Missing() }
    return admission
}

private func complete(_ scheduler: inout Scheduler, _ ids: [Int32?]) throws -> Scheduler.Outcome {
    guard let outcome = scheduler.complete(ids).first else { throw Missing() }
    return outcome
}

@Suite("Scheduler")
struct SchedulerTests {
    @Test("computes a prompt in chunks and samples at its end")
    func chunks() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(textSequence(0, 11))
        #expect(scheduler.next() == nil, "nothing runs before it is admitted")
        #expect(try admit(&scheduler).reusedRowCount == 0)

        let first = try nextBatch(&scheduler)
        #expect(first.tokenIDs == Array(100..<108))
        #expect(first.positions == Array(0..<8))
        #expect(first.slots == Array(0..<8))
        #expect(first.offsets == [0, 8] && first.contextLengths == [8] && first.pages == [[0, 1]])
        #expect(first.sampledRows.isEmpty)
        #expect(scheduler.complete([]).map(\.cachedPromptRows) == [8])

        let second = try nextBatch(&scheduler)
        #expect(second.tokenIDs == [108, 109, 110])
        #expect(second.slots == [8, 9, 10] && second.contextLengths == [11] && second.pages == [[0, 1, 2]])
        #expect(second.sampledRows == [2])
        let outcome = try complete(&scheduler, [55])
        #expect(outcome.tokenID == 55 && outcome.finish == nil && outcome.cachedPromptRows == 11)

        let third = try nextBatch(&scheduler)
        #expect(third.tokenIDs == [55] && third.positions == [11] && third.slots == [11])
        #expect(third.contextLengths == [12] && third.sampledRows == [0])
    }

    @Test("puts decoding sequences first and fills up with prompts, oldest first")
    func mixing() throws {
        var scheduler = Scheduler(limits: smallLimits(maxSequences: 3))
        try scheduler.enqueue(textSequence(0, 2))
        while scheduler.admitNext() != nil {}
        _ = scheduler.next()
        _ = scheduler.complete([50])
        try scheduler.enqueue(textSequence(1, 5, first: 200))
        try scheduler.enqueue(textSequence(2, 5, first: 300))
        while scheduler.admitNext() != nil {}
        let batch = try nextBatch(&scheduler)
        #expect(batch.tokenIDs == [50, 200, 201, 202, 203, 204, 300, 301])
        #expect(batch.offsets == [0, 1, 6, 8])
        #expect(batch.contextLengths == [3, 5, 2])
        #expect(batch.sampledRows == [0, 5], "the last prompt is not complete")
        #expect(scheduler.sampledIDs == [RequestID(0), RequestID(1)])
    }

    @Test("keeps the position of a token apart from its cache index behind a picture")
    func picturePositions() throws {
        var scheduler = Scheduler(limits: smallLimits(maxRows: 16))
        let rows = PromptRows(
            tokenIDs: [1, -1, -1, -1, -1, 2], positions: [0, 1, 2, 2, 3, 4], imageRows: 1..<5,
            imageHash: ImageHash(pixels: [1]))
        try scheduler.enqueue(SequenceState(id: RequestID(0), rows: rows, maxNewTokens: 2, stopIDs: []))
        let admission = try admit(&scheduler)
        #expect(admission.image == .encode(ImageID(0), evicting: nil))
        #expect(scheduler.next() == nil, "the picture is not encoded yet")
        #expect(scheduler.requests(needing: ImageID(0)) == [RequestID(0)])
        scheduler.finish(ImageID(0))
        let prompt = try nextBatch(&scheduler)
        #expect(prompt.imageSpans == [ImageSpan(image: ImageID(0), rows: 1..<5, featureRows: 0..<4)])
        _ = scheduler.complete([7])
        let token = try nextBatch(&scheduler)
        #expect(token.positions == [5] && token.slots == [6] && token.imageSpans.isEmpty)
    }

    @Test("cuts a picture at chunk borders")
    func pictureChunks() throws {
        var scheduler = Scheduler(limits: smallLimits(maxRows: 3))
        let rows = PromptRows(
            tokenIDs: [1, -1, -1, -1, -1, 2], positions: [0, 1, 2, 2, 3, 4], imageRows: 1..<5,
            imageHash: ImageHash(pixels: [1]))
        try scheduler.enqueue(SequenceState(id: RequestID(0), rows: rows, maxNewTokens: 2, stopIDs: []))
        _ = scheduler.admitNext()
        scheduler.finish(ImageID(0))
        let first = try nextBatch(&scheduler)
        #expect(first.imageSpans == [ImageSpan(image: ImageID(0), rows: 1..<3, featureRows: 0..<2)])
        _ = scheduler.complete([])
        let second = try nextBatch(&scheduler)
        #expect(second.imageSpans == [ImageSpan(image: ImageID(0), rows: 0..<2, featureRows: 2..<4)])
    }

    @Test("ends at a stop id, which is not part of the answer")
    func stopID() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(textSequence(0, 2))
        _ = scheduler.admitNext()
        _ = scheduler.next()
        let outcome = try complete(&scheduler, [9])
        #expect(outcome.finish == .stop && outcome.tokenID == nil)
        #expect(!scheduler.hasWork)
    }

    @Test("ends at the token limit")
    func length() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(textSequence(0, 2, maxNewTokens: 2))
        _ = scheduler.admitNext()
        _ = scheduler.next()
        #expect(scheduler.complete([50]).first?.finish == nil)
        _ = scheduler.next()
        let outcome = try complete(&scheduler, [51])
        #expect(outcome.finish == .length && outcome.tokenID == 51)
    }

    @Test("answers busy when the queue is full")
    func busy() throws {
        var scheduler = Scheduler(limits: smallLimits(maxSequences: 1, maxWaiting: 1))
        try scheduler.enqueue(textSequence(0, 2))
        _ = scheduler.admitNext()
        try scheduler.enqueue(textSequence(1, 2))
        #expect(throws: EngineError.busy(waiting: 1)) { try scheduler.enqueue(textSequence(2, 2)) }
    }

    @Test("refuses at once what could never be admitted")
    func tooLarge() {
        var scheduler = Scheduler(limits: smallLimits(pageCount: 2))
        #expect(throws: EngineError.cacheTooSmall(promptRows: 7, newTokens: 2, limit: 8)) {
            try scheduler.enqueue(textSequence(0, 7, maxNewTokens: 2))
        }
    }

    @Test("waits until there are pages for the whole answer, in the order of arrival")
    func admission() throws {
        var scheduler = Scheduler(limits: smallLimits(maxSequences: 3, pageCount: 4, maxRetained: 0))
        try scheduler.enqueue(textSequence(0, 9, maxNewTokens: 3))  // 3 pages
        try scheduler.enqueue(textSequence(1, 5, maxNewTokens: 3))  // 2 pages
        try scheduler.enqueue(textSequence(2, 1, maxNewTokens: 1))  // 1 page, must not overtake
        #expect(scheduler.admitNext()?.id == RequestID(0))
        #expect(scheduler.admitNext() == nil)
        scheduler.end(RequestID(0), keepingCache: true)
        #expect(scheduler.admitNext()?.id == RequestID(1))
        #expect(scheduler.admitNext()?.id == RequestID(2))
    }

    @Test("frees the pages of a cancelled request, running or waiting")
    func cancelling() throws {
        var scheduler = Scheduler(limits: smallLimits(maxSequences: 1))
        try scheduler.enqueue(textSequence(0, 9))
        try scheduler.enqueue(textSequence(1, 9))
        _ = scheduler.admitNext()
        #expect(scheduler.availablePageCount == 13)
        scheduler.end(RequestID(1), keepingCache: true)
        scheduler.end(RequestID(0), keepingCache: true)
        #expect(!scheduler.hasWork)
        #expect(scheduler.availablePageCount == 16)
        #expect(scheduler.checkIntegrity() == nil)
    }

    @Test("drops a failed batch and keeps none of its cache")
    func failedBatch() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(textSequence(0, 3))
        _ = scheduler.admitNext()
        _ = scheduler.next()
        #expect(!scheduler.dropBatches().isEmpty)
        #expect(!scheduler.hasWork && scheduler.retainedCount == 0)
        #expect(scheduler.pool.freePageCount == 16)
    }

    @Test("ends one row as failed and goes on with the others")
    func failedRow() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(textSequence(0, 2))
        try scheduler.enqueue(textSequence(1, 2))
        while scheduler.admitNext() != nil {}
        _ = scheduler.next()
        let outcomes = scheduler.complete([nil, 50])
        #expect(outcomes.map(\.id) == [RequestID(1)])
        #expect(scheduler.runningCount == 1)
        #expect(scheduler.retainedCount == 0)
    }
}

@Suite("Scheduler: reuse of kept caches")
struct SchedulerReuseTests {
    /// Runs one request to its end; every token is `token`.
    private func run(_ scheduler: inout Scheduler, _ sequence: SequenceState, token: Int32 = 50) throws -> Int {
        try scheduler.enqueue(sequence)
        let admission = try admit(&scheduler)
        if let image = admission.image?.image { scheduler.finish(image) }
        while let batch = scheduler.next() {
            _ = scheduler.complete([Int32?](repeating: token, count: batch.sampledRows.count))
        }
        return admission.reusedRowCount
    }

    private func sequence(_ id: Int, _ ids: [Int32], maxNewTokens: Int = 3) -> SequenceState {
        let rows = PromptRows(tokenIDs: ids, positions: ids.indices.map { Int32($0) })
        return SequenceState(id: RequestID(id), rows: rows, maxNewTokens: maxNewTokens, stopIDs: [])
    }

    @Test("takes over all rows that a next turn shares with the last one")
    func nextTurn() throws {
        var scheduler = Scheduler(limits: smallLimits())
        #expect(try run(&scheduler, sequence(0, [1, 2, 3])) == 0)
        // The last of the three generated tokens was never computed.
        #expect(try run(&scheduler, sequence(1, [1, 2, 3, 50, 50, 50, 8])) == 5)
        #expect(scheduler.retainedCount == 1, "the first turn's cache became the second's")
        #expect(scheduler.checkIntegrity() == nil)
    }

    @Test("computes the last prompt row even when all rows are cached")
    func sameAgain() throws {
        var scheduler = Scheduler(limits: smallLimits())
        #expect(try run(&scheduler, sequence(0, [1, 2, 3])) == 0)
        #expect(try run(&scheduler, sequence(1, [1, 2, 3])) == 2)
    }

    @Test("shares up to the first different token, inside a page too")
    func divergence() throws {
        var scheduler = Scheduler(limits: smallLimits())
        _ = try run(&scheduler, sequence(0, [1, 2, 3, 4, 5, 6]))
        #expect(try run(&scheduler, sequence(1, [1, 2, 3, 4, 5, 7, 7])) == 5)
    }

    @Test("leaves a long conversation alone for a short common beginning")
    func shortPrefix() throws {
        var scheduler = Scheduler(limits: smallLimits())
        let long = Array<Int32>(1...12)
        _ = try run(&scheduler, sequence(0, long))
        #expect(try run(&scheduler, sequence(1, [1, 2, 99])) == 0)
        #expect(try run(&scheduler, sequence(2, long + [70])) == 12)
    }

    @Test("does not share a picture's rows with another picture")
    func pictures() throws {
        func sequence(_ id: Int, pixels: [Float]) -> SequenceState {
            let rows = PromptRows(
                tokenIDs: [1, 2, -1, -1, -1, 3], positions: [0, 1, 2, 3, 4, 5], imageRows: 2..<5,
                imageHash: ImageHash(pixels: pixels))
            return SequenceState(id: RequestID(id), rows: rows, maxNewTokens: 1, stopIDs: [])
        }
        var computed = sequence(0, pixels: [1])
        computed.begin(6)
        computed.advance(6)
        let kept = RetainedSequence(computed)
        #expect(kept.commonPrefix(with: sequence(1, pixels: [1]).rows) == 6)
        #expect(kept.commonPrefix(with: sequence(2, pixels: [2]).rows) == 2)
    }

    @Test("encodes a picture once for the turns of a conversation")
    func pictureOnce() throws {
        var scheduler = Scheduler(limits: smallLimits(maxRows: 16))
        let hash = ImageHash(pixels: [1])
        func sequence(_ id: Int, _ tail: [Int32]) -> SequenceState {
            let rows = PromptRows(
                tokenIDs: [1, -1, -1, -1] + tail, positions: (0..<Int32(4 + tail.count)).map { $0 },
                imageRows: 1..<4, imageHash: hash)
            return SequenceState(id: RequestID(id), rows: rows, maxNewTokens: 2, stopIDs: [])
        }
        #expect(try run(&scheduler, sequence(0, [5])) == 0)
        try scheduler.enqueue(sequence(1, [5, 50, 6]))
        let admission = try admit(&scheduler)
        #expect(admission.reusedRowCount == 6 && admission.image == nil)
    }

    @Test("finds the features of a picture whose rows were lost")
    func featuresOnly() throws {
        var scheduler = Scheduler(limits: smallLimits(maxRows: 16, maxRetained: 0))
        let hash = ImageHash(pixels: [1])
        let rows = PromptRows(tokenIDs: [1, -1, -1, 4], positions: [0, 1, 2, 3], imageRows: 1..<3, imageHash: hash)
        for (id, expected) in [
            (0, VisionCache.Acquisition.encode(ImageID(0), evicting: nil)), (1, .resident(ImageID(0))),
        ] {
            try scheduler.enqueue(SequenceState(id: RequestID(id), rows: rows, maxNewTokens: 1, stopIDs: []))
            #expect(try admit(&scheduler).image == expected)
            scheduler.finish(ImageID(0))
            _ = scheduler.next()
            _ = scheduler.complete([50])
        }
    }

    @Test("evicts the cache that was unused for longest when pages are needed")
    func eviction() throws {
        var scheduler = Scheduler(limits: smallLimits(pageCount: 4))
        _ = try run(&scheduler, sequence(0, [1, 2, 3, 4, 5], maxNewTokens: 1))  // keeps 2 pages
        _ = try run(&scheduler, sequence(1, [11, 12, 13], maxNewTokens: 1))  // keeps 1 page
        #expect(scheduler.retainedCount == 2)
        _ = try run(&scheduler, sequence(2, [21, 22, 23, 24, 25, 26], maxNewTokens: 2))  // needs 2
        #expect(scheduler.retainedCount == 2, "the oldest went")
        #expect(try run(&scheduler, sequence(3, [11, 12, 13, 50, 9], maxNewTokens: 1)) == 3)
        #expect(scheduler.checkIntegrity() == nil)
    }

    @Test("keeps no more caches than allowed")
    func limit() throws {
        var scheduler = Scheduler(limits: smallLimits(maxRetained: 2))
        for id in 0..<4 {
            let start = Int32(id) * 10
            _ = try run(&scheduler, sequence(id, [start, start + 1, start + 2]))
        }
        #expect(scheduler.retainedCount == 2)
    }

    @Test("keeps what a cancelled request has computed")
    func cancelled() throws {
        var scheduler = Scheduler(limits: smallLimits())
        try scheduler.enqueue(sequence(0, [1, 2, 3]))
        _ = scheduler.admitNext()
        _ = scheduler.next()
        _ = scheduler.complete([50])
        scheduler.end(RequestID(0), keepingCache: true)
        #expect(scheduler.availablePageCount == 16)
        #expect(try run(&scheduler, sequence(1, [1, 2, 3, 50, 4])) == 3)
    }
}
