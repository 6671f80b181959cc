import FacetEngine
import FacetModel
import Testing

@Suite("Scheduler: pipeline")
struct SchedulerPipelineTests {
    private func scheduler(_ depth: Int, maxRows: Int = 16) -> Scheduler {
        var limits = smallLimits(maxRows: maxRows, maxSequences: 4, pageCount: 40)
        limits.pipelineDepth = depth
        return Scheduler(limits: limits)
    }

    @Test("running sequences are shared out among the batches in progress")
    func sharing() throws {
        var scheduler = scheduler(2)
        for id in 0..<4 {
            try scheduler.enqueue(textSequence(id, 3))
            _ = scheduler.admitNext()
        }
        let prompts = [scheduler.next(), scheduler.next()]
        #expect(prompts.map { $0?.rowCount } == [6, 6])
        let first = scheduler.complete([50, 51])
        #expect(first.map(\.id) == [RequestID(0), RequestID(1)])
        let decoding = scheduler.next()
        #expect(decoding?.tokenIDs == [50, 51] && decoding?.offsets == [0, 1, 2])
        let second = scheduler.complete([52, 53])
        #expect(second.map(\.id) == [RequestID(2), RequestID(3)])
        #expect(scheduler.checkIntegrity() == nil)
    }

    @Test("the chunks of one prompt follow each other without waiting, and only the last is sampled")
    func chunks() throws {
        var scheduler = scheduler(3, maxRows: 4)
        try scheduler.enqueue(textSequence(0, 9, first: 1))
        _ = scheduler.admitNext()
        let batches = (0..<3).compactMap { _ in scheduler.next() }
        #expect(batches.map(\.tokenIDs) == [[1, 2, 3, 4], [5, 6, 7, 8], [9]])
        #expect(batches.map(\.sampledRows) == [[], [], [0]])
        #expect(batches.map(\.contextLengths) == [[4], [8], [9]])
        let first = scheduler.complete([])
        #expect(first.map(\.cachedPromptRows) == [4])
        let more = scheduler.next()
        #expect(more == nil, "nothing is known beyond the prompt")
        _ = scheduler.complete([])
        let last = scheduler.complete([50])
        #expect(last.first?.tokenID == 50)
    }

    @Test("a request that ends while rows are in progress keeps its pages until they are complete")
    func endingInProgress() throws {
        var scheduler = scheduler(2, maxRows: 4)
        try scheduler.enqueue(textSequence(0, 6))
        _ = scheduler.admitNext()
        _ = scheduler.next()
        _ = scheduler.next()
        let owned = scheduler.pool.pages(of: RequestID(0)).count
        scheduler.end(RequestID(0), keepingCache: false)
        #expect(scheduler.pool.pages(of: RequestID(0)).count == owned && owned > 0)
        let first = scheduler.complete([])
        #expect(first.isEmpty && scheduler.pool.pages(of: RequestID(0)).count == owned)
        let last = scheduler.complete([50])
        #expect(last.isEmpty)
        #expect(scheduler.pool.pages(of: RequestID(0)).isEmpty && !scheduler.hasWork)
    }
}
