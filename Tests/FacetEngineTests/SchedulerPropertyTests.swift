import FacetEngine
import FacetModel
import Testing

/// Random traffic from a seed: requests arrive, are cancelled, fail and end, with and without pictures.
@Suite("Scheduler: properties")
struct SchedulerPropertyTests {
    /// What a run of the scheduler gave.
    private struct Trace {
        var batches: [ForwardBatch] = []
        var finished: Set<RequestID> = []
        var removed: Set<RequestID> = []
        var refused = 0
    }

    private static let limits = smallLimits(
        maxRows: 6, maxSequences: 3, pageSize: 3, pageCount: 20, maxImages: 2, maxWaiting: 4, maxRetained: 3)

    private static func randomSequence(_ id: Int, _ random: inout SplitMix64) -> SequenceState {
        let alphabet: ClosedRange<Int32> = 1...2
        var ids = (0..<Int.random(in: 1...18, using: &random)).map { _ in Int32.random(in: alphabet, using: &random) }
        var imageRows: Range<Int>?
        if Bool.random(using: &random) {
            let start = Int.random(in: 0..<ids.count, using: &random)
            ids.insert(contentsOf: [Int32](repeating: -1, count: 5), at: start)
            ids.append(1)
            imageRows = start..<start + 5
        }
        let hash = imageRows.map { _ in ImageHash(pixels: [Float(Int.random(in: 0..<4, using: &random))]) }
        let rows = PromptRows(
            tokenIDs: ids, positions: ids.indices.map { Int32($0) }, imageRows: imageRows, imageHash: hash)
        return SequenceState(
            id: RequestID(id), rows: rows, maxNewTokens: Int.random(in: 1...12, using: &random), stopIDs: [7])
    }

    /// Plays `count` requests to the end.
    private static func play(seed: UInt64, count: Int, depth: Int = 1) throws -> Trace {
        var random = SplitMix64(seed: seed)
        var limits = limits
        limits.pipelineDepth = depth
        var scheduler = Scheduler(limits: limits)
        var trace = Trace()
        var alive: Set<RequestID> = []
        // Pictures with a place, and those of them that are still being encoded.
        var placed: Set<ImageID> = []
        var encoding: [ImageID] = []
        var submitted = 0
        var steps = 0
        while submitted < count || scheduler.hasWork {
            steps += 1
            try #require(steps < 20_000, "the scheduler makes no progress")
            while submitted < count && Int.random(in: 0..<3, using: &random) == 0 {
                let sequence = randomSequence(submitted, &random)
                submitted += 1
                do {
                    try scheduler.enqueue(sequence)
                    alive.insert(sequence.id)
                } catch { trace.refused += 1 }
            }
            if Int.random(in: 0..<12, using: &random) == 0, let id = alive.sorted().randomElement(using: &random) {
                scheduler.end(id, keepingCache: Bool.random(using: &random))
                alive.remove(id)
                trace.removed.insert(id)
            }
            while let admission = scheduler.admitNext() {
                guard case .encode(let image, let evicted) = admission.image else { continue }
                if let evicted { #expect(placed.remove(evicted) != nil && !encoding.contains(evicted)) }
                placed.insert(image)
                encoding.append(image)
                #expect(placed.count <= limits.maxImages)
            }
            for image in encoding where !scheduler.vision.isNeeded(image) {
                scheduler.forget(image)
                placed.remove(image)
                encoding.removeAll { $0 == image }
            }
            if let image = encoding.first, Int.random(in: 0..<3, using: &random) == 0 {
                encoding.removeFirst()
                if Int.random(in: 0..<10, using: &random) == 0 {
                    let ids = scheduler.requests(needing: image)
                    ids.forEach { scheduler.end($0, keepingCache: false) }
                    scheduler.forget(image)
                    placed.remove(image)
                    alive.subtract(ids)
                    trace.removed.formUnion(ids)
                } else {
                    scheduler.finish(image)
                }
            }
            while scheduler.inFlightCount < depth, let batch = scheduler.next() {
                check(batch, placed.subtracting(encoding))
                trace.batches.append(batch)
            }
            guard scheduler.inFlightCount > 0 else { continue }
            if Int.random(in: 0..<60, using: &random) == 0 {
                let ids = scheduler.dropBatches()
                alive.subtract(ids)
                trace.removed.formUnion(ids)
            } else {
                let ids = scheduler.sampledIDs
                let sampled = ids.map { _ in
                    Int.random(in: 0..<40, using: &random) == 0 ? nil : Int32.random(in: 1...8, using: &random)
                }
                let failed = zip(ids, sampled).filter { $0.1 == nil }.map(\.0)
                alive.subtract(failed)
                trace.removed.formUnion(failed)
                for outcome in scheduler.complete(sampled) where outcome.finish != nil {
                    #expect(trace.finished.insert(outcome.id).inserted, "a request ended twice")
                    alive.remove(outcome.id)
                }
            }
            #expect(scheduler.checkIntegrity() == nil)
        }
        #expect(alive.isEmpty, "a request never ended")
        #expect(trace.finished.count + trace.removed.count + trace.refused == count)
        #expect(scheduler.availablePageCount == limits.pageCount)
        return trace
    }

    private static func check(_ batch: ForwardBatch, _ prepared: Set<ImageID>) {
        #expect(batch.rowCount <= limits.maxRows)
        #expect(batch.sequenceCount <= limits.maxSequences)
        let pages = batch.pages.flatMap { $0 }
        #expect(Set(pages).count == pages.count, "a page belongs to two sequences")
        #expect(Set(batch.slots).count == batch.rowCount, "two rows share a slot")
        for (index, row) in zip(batch.slots.indices, batch.slots) {
            let sequence = batch.offsets.lastIndex { $0 <= Int32(index) } ?? 0
            #expect(batch.pages[sequence].contains(row / Int32(limits.pageSize)), "a row in a foreign page")
        }
        #expect(batch.imageSpans.allSatisfy { prepared.contains($0.image) }, "a picture that is not encoded")
        let covered = batch.imageSpans.flatMap { Array($0.rows) }
        #expect(covered == batch.tokenIDs.indices.filter { batch.tokenIDs[$0] == ForwardBatch.imageRow })
    }

    @Test("ends every request, owns no page twice and keeps to all limits", arguments: 0..<20, 1...3)
    func traffic(seed: UInt64, depth: Int) throws {
        let trace = try Self.play(seed: seed, count: 60, depth: depth)
        #expect(!trace.finished.isEmpty)
    }

    @Test("gives the same batches for the same traffic", arguments: [3, 4])
    func determinism(seed: UInt64) throws {
        let first = try Self.play(seed: seed, count: 40)
        let second = try Self.play(seed: seed, count: 40)
        #expect(first.batches == second.batches)
    }
}
