import FacetEngine
import FacetModel
import Synchronization
import Testing

@Suite("Engine", .timeLimit(.minutes(2)))
struct EngineTests {
    @Test("answers many requests at once as it answers each alone", arguments: [5, 16])
    func batching(maxRows: Int) async throws {
        var prompts: [Prompt] = try [3, 17, 1, 9, 25, 6].enumerated().map { try textPrompt($1, first: Int32(30 * $0)) }
        prompts.append(imagePrompt(image: PreparedImage(pixels: [1, 2])))
        prompts.append(imagePrompt(before: 5, image: PreparedImage(pixels: [3])))
        let sampling = { @Sendable (index: Int) in
            SamplingParameters(
                temperature: index % 2 == 0 ? 0 : 1, topK: 20, topP: 0.9, repetitionPenalty: 1.1, seed: UInt64(index),
                maxTokens: 5 + index)
        }
        var alone: [Completion] = []
        let single = try EngineFixture(maxRows: 64, maxSequences: 1, queue: noReuse)
        let requests = prompts
        for (index, prompt) in requests.enumerated() { alone.append(try await single.answer(prompt, sampling(index))) }

        let fixture = try EngineFixture(maxRows: maxRows, maxSequences: 4, pageCount: 50, maxImages: 2)
        let together = try await withThrowingTaskGroup(of: (Int, Completion).self) { group in
            for (index, prompt) in requests.enumerated() {
                group.addTask { (index, try await fixture.answer(prompt, sampling(index))) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (index, expected) in alone.enumerated() {
            #expect(together[index]?.tokenIDs == expected.tokenIDs, "request \(index)")
            #expect(together[index]?.text == expected.text)
        }
        #expect(fixture.record.problems.isEmpty && single.record.problems.isEmpty)
    }

    private var noReuse: Engine.Limits {
        var limits = Engine.Limits()
        limits.maxRetained = 0
        return limits
    }

    @Test("computes only new rows in the next turn, and gives the tokens of a computation from scratch")
    func nextTurn() async throws {
        let fixture = try EngineFixture()
        let sampling = SamplingParameters(maxTokens: 7)
        let first = try await fixture.answer(textPrompt(20), sampling)
        let before = fixture.record.computedRowCount
        let history = try textPrompt(20).tokenIDs + first.tokenIDs + [3, 4, 5]
        let second = try await fixture.answer(try Prompt(tokenIDs: history), sampling)
        // Of the first answer all but the last token were fed, so they are cached.
        #expect(second.usage.reusedRowCount == 26)
        #expect(fixture.record.computedRowCount - before == history.count - 26 + 6)
        let scratch = try await EngineFixture().answer(try Prompt(tokenIDs: history), sampling)
        #expect(second.tokenIDs == scratch.tokenIDs)
        #expect(scratch.usage.reusedRowCount == 0)
        #expect(fixture.record.problems.isEmpty)
    }

    @Test("encodes a picture once for the turns of a conversation")
    func pictureOnce() async throws {
        let fixture = try EngineFixture()
        let sampling = SamplingParameters(maxTokens: 4)
        let image = PreparedImage(pixels: [5, 6])
        let first = try await fixture.answer(imagePrompt(image: image), sampling)
        #expect(first.timings.image != nil && first.usage.imageTokenCount == 6)
        let next = imagePrompt(image: image, tail: first.tokenIDs + [8, 9])
        let second = try await fixture.answer(next, sampling)
        #expect(fixture.record.preparedCount == 1)
        #expect(second.timings.image == nil)
        #expect(second.usage.reusedRowCount == 3 + 6 + 4 + 3)
        let scratch = try await EngineFixture().answer(next, sampling)
        #expect(second.tokenIDs == scratch.tokenIDs)

        let other = imagePrompt(image: PreparedImage(pixels: [7]), tail: first.tokenIDs + [8, 9])
        let third = try await fixture.answer(other, sampling)
        #expect(fixture.record.preparedCount == 2)
        let scratchOfOther = try await EngineFixture().answer(other, sampling)
        #expect(third.tokenIDs == scratchOfOther.tokenIDs)
        #expect(third.tokenIDs != second.tokenIDs, "the picture matters")
        #expect(fixture.record.problems.isEmpty)
    }

    @Test("reports events in order")
    func events() async throws {
        let fixture = try EngineFixture(maxRows: 8)
        let request = Request(
            imagePrompt(image: PreparedImage(pixels: [1])), sampling: SamplingParameters(maxTokens: 2))
        var kinds: [String] = []
        for try await event in fixture.engine.submit(request) {
            switch event {
            case .encodingImage(let share): kinds.append("encoding \(share)")
            case .imageEncoded: kinds.append("encoded")
            case .prefill(let progress): kinds.append("prefill \(progress.cachedRowCount)/\(progress.totalRowCount)")
            case .token: kinds.append("token")
            case .text: break
            case .finished(let completion): kinds.append("finished \(completion.reason)")
            }
        }
        #expect(
            kinds == [
                "encoding 0.5", "encoded", "prefill 8/13", "prefill 13/13", "token", "token", "finished length",
            ])
    }

    @Test("stops at a stop id and does not show it")
    func stopID() async throws {
        let fixture = try EngineFixture { $0.script = [4: 72, 5: 105, 6: 258] }
        let completion = try await fixture.answer(
            textPrompt(5), SamplingParameters(maxTokens: 9, stopTokenIDs: [258]))
        #expect(completion.reason == .stop)
        #expect(completion.text == "Hi" && completion.tokenIDs == [72, 105])
        #expect(completion.usage.generatedTokenCount == 2)
    }

    @Test("cuts a stop string that spans tokens, and never shows its beginning")
    func stopString() async throws {
        let bytes = Array("\nyes. END more".utf8)
        let script = Dictionary(uniqueKeysWithValues: bytes.enumerated().map { (Int32($0 + 4), Int32($1)) })
        let fixture = try EngineFixture { $0.script = script }
        let completion = try await fixture.answer(
            textPrompt(5), SamplingParameters(maxTokens: 40, stopStrings: [" END"]))
        #expect(completion.reason == .stopString)
        #expect(completion.text == "yes.")
        #expect(completion.tokenIDs.count == 9)
    }

    @Test("shows what it held back when the answer ends for another reason")
    func heldBack() async throws {
        let fixture = try EngineFixture { $0.script = [4: 65, 5: 66] }
        let completion = try await fixture.answer(
            textPrompt(5), SamplingParameters(maxTokens: 2, stopStrings: ["ABC"]))
        #expect(completion.reason == .length && completion.text == "AB")
    }

    @Test("delivers what was produced when a request is cancelled, and frees its pages")
    func cancelling() async throws {
        let fixture = try EngineFixture()
        let request = Request(try textPrompt(10), sampling: SamplingParameters(maxTokens: 150))
        var tokens: [Int32] = []
        var last: Completion?
        for try await event in fixture.engine.submit(request) {
            if case .token(let id, _) = event {
                tokens.append(id)
                if tokens.count == 3 { request.cancel() }
            }
            if case .finished(let completion) = event { last = completion }
        }
        let completion = try #require(last)
        #expect(completion.reason == .cancelled)
        #expect(completion.tokenIDs == tokens && tokens.count >= 3)
        let metrics = await fixture.engine.metrics()
        #expect(metrics.runningCount == 0 && metrics.cancelledCount == 1)
        #expect(metrics.availablePageCount == metrics.pageCount)
    }

    @Test("cancels a request whose reader has gone")
    func readerGone() async throws {
        let gate = Gate()
        let fixture = try EngineFixture { $0.gate = gate }
        let reader = Task {
            let request = Request(try textPrompt(3), sampling: SamplingParameters(maxTokens: 150))
            for try await _ in fixture.engine.submit(request) {}
        }
        await gate.waitUntilEntered()
        reader.cancel()
        _ = await reader.result
        gate.open(200)
        let metrics = await settled(fixture.engine)
        #expect(metrics.cancelledCount == 1 && metrics.runningCount == 0)
        #expect(fixture.record.stepCount <= 2)
    }

    /// The metrics once nothing runs or waits.
    private func settled(_ engine: Engine) async -> EngineMetrics {
        while true {
            let metrics = await engine.metrics()
            if metrics.runningCount == 0 && metrics.waitingCount == 0 { return metrics }
            await Task.yield()
        }
    }

    @Test("says busy at once when the queue is full, even while a step runs")
    func busy() async throws {
        let gate = Gate()
        var queue = Engine.Limits()
        queue.maxWaiting = 1
        let fixture = try EngineFixture(maxSequences: 1, queue: queue) { $0.gate = gate }
        let sampling = SamplingParameters(maxTokens: 2)
        let running = fixture.engine.submit(Request(try textPrompt(3), sampling: sampling))
        await gate.waitUntilEntered()
        let waiting = fixture.engine.submit(Request(try textPrompt(4), sampling: sampling))
        let refused = fixture.engine.submit(Request(try textPrompt(5), sampling: sampling))
        await #expect(throws: EngineError.busy(waiting: 2)) { try await completion(of: refused) }
        gate.open(100)
        #expect(try await completion(of: running).tokenIDs.count == 2)
        #expect(try await completion(of: waiting).tokenIDs.count == 2)
        #expect(try await fixture.answer(textPrompt(5), sampling).tokenIDs.count == 2)
    }

    @Test("refuses a request that does not fit before any work")
    func tooLong() async throws {
        let fixture = try EngineFixture(cacheRowLimit: 40)
        await #expect(throws: EngineError.cacheTooSmall(promptRows: 35, newTokens: 6, limit: 40)) {
            try await fixture.answer(textPrompt(35), SamplingParameters(maxTokens: 6))
        }
        #expect(try await fixture.answer(textPrompt(35), SamplingParameters()).tokenIDs.count == 5)
        #expect(await fixture.engine.metrics().refusedCount == 1)
    }

    @Test("refuses ids that the model does not have, and parameters that make no sense")
    func invalid() async throws {
        let fixture = try EngineFixture()
        await #expect(throws: EngineError.unknownToken(id: 272, vocabularySize: 272)) {
            try await fixture.answer(try Prompt(tokenIDs: [1, 272]), SamplingParameters())
        }
        await #expect(throws: EngineError.self) {
            try await fixture.answer(textPrompt(3), SamplingParameters(topP: 2))
        }
        #expect(fixture.record.stepCount == 0)
    }

    @Test("names the layer of NaN logits, fails that request only, and goes on")
    func nonFinite() async throws {
        let fixture = try EngineFixture(maxRows: 16) { $0.nonFinitePosition = 6 }
        let sampling = SamplingParameters(maxTokens: 5)
        let broken = fixture.engine.submit(Request(try textPrompt(5), sampling: sampling))
        let sound = fixture.engine.submit(Request(try textPrompt(9), sampling: sampling))
        await #expect(throws: EngineError.nonFinite(layer: "hidden.2")) { try await completion(of: broken) }
        #expect(try await completion(of: sound).tokenIDs.count == 5)
        let metrics = await fixture.engine.metrics()
        #expect(metrics.failedCount == 1 && metrics.availablePageCount == metrics.pageCount)
    }

    @Test("fails the requests of a batch that fails, and goes on")
    func failedForward() async throws {
        let fixture = try EngineFixture { $0.forwardError = .model(.invalidBatch(reason: "test")) }
        await #expect(throws: EngineError.model(.invalidBatch(reason: "test"))) {
            try await fixture.answer(textPrompt(5), SamplingParameters(maxTokens: 2))
        }
        #expect(try await fixture.answer(textPrompt(5), SamplingParameters(maxTokens: 2)).tokenIDs.count == 2)
    }

    @Test("fails a request whose picture cannot be encoded, and goes on")
    func failedPicture() async throws {
        let fixture = try EngineFixture { $0.prepareError = .nonFinite(layer: "vision.layers.3") }
        await #expect(throws: EngineError.nonFinite(layer: "vision.layers.3")) {
            try await fixture.answer(imagePrompt(image: PreparedImage(pixels: [1])), SamplingParameters())
        }
        #expect(try await fixture.answer(textPrompt(5), SamplingParameters(maxTokens: 2)).tokenIDs.count == 2)
        #expect(fixture.record.problems.isEmpty)
    }

    @Test("goes on with an answer while a picture is encoded")
    func answersBesidePictures() async throws {
        let gate = Gate()
        let fixture = try EngineFixture(pageCount: 256, maxImages: 2) {
            $0.gate = gate
            $0.encodingSteps = 20
        }
        let text = fixture.engine.submit(Request(try textPrompt(3), sampling: SamplingParameters(maxTokens: 150)))
        await gate.waitUntilEntered()
        let picture = fixture.engine.submit(
            Request(imagePrompt(image: PreparedImage(pixels: [1])), sampling: SamplingParameters(maxTokens: 3)))
        await fixture.letIn(2, through: gate)
        gate.open(400)
        #expect(try await completion(of: text).tokenIDs.count == 150)
        #expect(try await completion(of: picture).tokenIDs.count == 3)
        let log = fixture.record.state.withLock { $0.log }
        let first = try #require(log.firstIndex(of: .encoding)), last = try #require(log.lastIndex(of: .encoding))
        #expect(log[first..<last].count { $0 == .batch } >= 15, "\(log)")
        #expect(fixture.record.problems.isEmpty)
    }

    @Test("encodes a picture once for requests that come while it is being encoded")
    func sharedPicture() async throws {
        let alone = try await EngineFixture().answer(
            imagePrompt(image: PreparedImage(pixels: [1])), SamplingParameters(maxTokens: 3))
        let fixture = try EngineFixture(maxSequences: 3, maxImages: 2) { $0.encodingSteps = 50 }
        let streams = (0..<3).map { _ in
            fixture.engine.submit(
                Request(imagePrompt(image: PreparedImage(pixels: [1])), sampling: SamplingParameters(maxTokens: 3)))
        }
        for stream in streams { #expect(try await completion(of: stream).tokenIDs == alone.tokenIDs) }
        #expect(fixture.record.preparedCount == 1 && fixture.record.problems.isEmpty)
    }

    @Test("gives up a picture that nobody waits for any more")
    func abandonedPicture() async throws {
        let gate = Gate()
        let fixture = try EngineFixture(pageCount: 256) {
            $0.gate = gate
            $0.encodingSteps = 1_000_000
        }
        let text = fixture.engine.submit(Request(try textPrompt(3), sampling: SamplingParameters(maxTokens: 150)))
        await gate.waitUntilEntered()
        let request = Request(imagePrompt(image: PreparedImage(pixels: [1])), sampling: SamplingParameters())
        let picture = fixture.engine.submit(request)
        await fixture.letIn(2, through: gate)
        request.cancel()
        gate.open(400)
        #expect(try await completion(of: picture).reason == .cancelled)
        #expect(try await completion(of: text).tokenIDs.count == 150)
        let (prepared, abandoned) = fixture.record.state.withLock { ($0.prepared, $0.abandoned) }
        #expect(prepared == abandoned && fixture.record.problems.isEmpty)
        let metricsAtEnd = await fixture.engine.metrics()
        #expect(metricsAtEnd.availablePageCount == metricsAtEnd.pageCount)
    }

    @Test(
        "a picture that fails leaves batches in progress alone, unless its device failed",
        arguments: [
            EngineError.nonFinite(layer: "vision.layers.3"), .model(.invalidBatch(reason: "a device failed")),
        ])
    func failedPictureBesideAnswers(error: EngineError) async throws {
        let gate = Gate()
        let fixture = try EngineFixture(maxSequences: 3, pageCount: 256, pipelineDepth: 2) {
            $0.gate = gate
            $0.encodingSteps = 4
            $0.prepareError = error
        }
        let texts = try (0..<2).map {
            fixture.engine.submit(
                Request(try textPrompt(3, first: Int32(20 * $0)), sampling: SamplingParameters(maxTokens: 150)))
        }
        await gate.waitUntilEntered()
        let picture = fixture.engine.submit(
            Request(imagePrompt(image: PreparedImage(pixels: [1])), sampling: SamplingParameters()))
        await fixture.letIn(3, through: gate)
        gate.open(400)
        await #expect(throws: error) { try await completion(of: picture) }
        for text in texts {
            do {
                #expect(try await completion(of: text).tokenIDs.count == 150)
            } catch let failure as EngineError {
                // Only what was in progress when the device failed is lost.
                #expect(failure == error && error != .nonFinite(layer: "vision.layers.3"))
            }
        }
        #expect(try await fixture.answer(textPrompt(5), SamplingParameters(maxTokens: 2)).tokenIDs.count == 2)
        #expect(fixture.record.problems.isEmpty)
    }

    @Test("ends everything when it is shut down, and takes nothing more")
    func shutDown() async throws {
        let gate = Gate()
        let fixture = try EngineFixture(maxSequences: 1) { $0.gate = gate }
        let sampling = SamplingParameters(maxTokens: 100)
        let running = fixture.engine.submit(Request(try textPrompt(3), sampling: sampling))
        await gate.waitUntilEntered()
        let waiting = fixture.engine.submit(Request(try textPrompt(4), sampling: sampling))
        async let end: Void = fixture.engine.shutDown()
        gate.open(200)
        await end
        #expect(try await completion(of: running).reason == .cancelled)
        do {
            #expect(try await completion(of: waiting).reason == .cancelled)
        } catch { #expect(error as? EngineError == .shutDown, "it came to the door after the end") }
        await #expect(throws: EngineError.shutDown) { try await fixture.answer(textPrompt(3), sampling) }
    }

    @Test("goes away with its last owner, even with a request in progress")
    func deallocation() async throws {
        weak var engine: Engine?
        let events: Engine.Events
        do {
            let fixture = try EngineFixture()
            engine = fixture.engine
            events = fixture.engine.submit(Request(try textPrompt(3), sampling: SamplingParameters(maxTokens: 3)))
        }
        #expect(try await completion(of: events).tokenIDs.count == 3)
        for _ in 0..<1000 where engine != nil { await Task.yield() }
        #expect(engine == nil)
    }

    @Test("takes all times from its clock")
    func timings() async throws {
        // Every look at the clock is a second.
        let box = Box()
        let clock = EngineClock { box.tick() }
        let fixture = try EngineFixture(clock: clock)
        let completion = try await fixture.answer(
            imagePrompt(image: PreparedImage(pixels: [1])), SamplingParameters(maxTokens: 3))
        let timings = completion.timings
        #expect(timings.queue >= .seconds(1) && timings.image == .seconds(1))
        #expect(timings.prefill > .zero && timings.timeToFirstToken ?? .zero > timings.prefill)
        #expect(timings.decodedTokenCount == 2 && timings.perToken == timings.decode / 2)
    }

    /// A counter that a sendable closure may hold.
    private final class Box: Sendable {
        private let ticks = Atomic<Int>(0)
        func tick() -> Duration { .seconds(ticks.add(1, ordering: .relaxed).newValue) }
    }

    @Test("gives the seed that repeats a sampled answer")
    func seeds() async throws {
        let fixture = try EngineFixture(queue: noReuse)
        let free = SamplingParameters(temperature: 1, maxTokens: 12)
        let first = try await fixture.answer(textPrompt(5), free)
        var fixed = free
        fixed.seed = first.seed
        #expect(try await fixture.answer(textPrompt(5), fixed).tokenIDs == first.tokenIDs)
    }

    @Test("serves many short requests from many tasks")
    func crowd() async throws {
        let fixture = try EngineFixture(maxSequences: 4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<40 {
                group.addTask {
                    let prompt = try textPrompt(1 + index % 13, first: Int32(index))
                    let request = Request(prompt, sampling: SamplingParameters(maxTokens: 4))
                    if index % 5 == 0 { request.cancel() }
                    let answer = try await completion(of: fixture.engine.submit(request))
                    #expect(answer.reason == (index % 5 == 0 ? .cancelled : .length))
                }
            }
            try await group.waitForAll()
        }
        let metrics = await fixture.engine.metrics()
        #expect(metrics.acceptedCount == 40 && metrics.finishedCount == 32 && metrics.cancelledCount == 8)
        #expect(metrics.availablePageCount == metrics.pageCount)
        #expect(fixture.record.problems.isEmpty)
    }
}
