import FacetEngine
import FacetModel
import FacetTokenizer
import Foundation
import Testing

/// An engine around a fake runner, with a tokenizer whose ids 0 to 255 are the bytes.
struct EngineFixture {
    let engine: Engine
    let record = RunnerRecord()
    let tokenizer: Tokenizer

    init(
        maxRows: Int = 8, maxSequences: Int = 2, pageSize: Int = 4, pageCount: Int = 64, maxImages: Int = 1,
        cacheRowLimit: Int = 200, pipelineDepth: Int = 1, queue: Engine.Limits = Engine.Limits(),
        clock: EngineClock = .continuous,
        _ configure: (FakeRunner) -> Void = { _ in }
    ) throws {
        tokenizer = try byteTokenizer()
        let limits = ModelLimits(
            maxRows: maxRows, maxSequences: maxSequences, pageSize: pageSize, pageCount: pageCount,
            maxImages: maxImages)
        let runner = FakeRunner(limits, pipelineDepth: pipelineDepth, record: record)
        configure(runner)
        engine = try Engine(
            runner: runner, tokenizer: tokenizer,
            context: ContextLimits(positionLimit: 4096, cacheRowLimit: cacheRowLimit), limits: queue, clock: clock)
    }

    /// Lets steps run, one by one, until so many requests have been accepted.
    func letIn(_ count: Int, through gate: Gate) async {
        var accepted = 0
        while accepted < count {
            // Requests come to the engine by tasks of their own: give these time to begin.
            try? await Task.sleep(for: .milliseconds(2))
            async let metrics = engine.metrics()
            gate.open()
            accepted = await metrics.acceptedCount
        }
    }

    /// The whole answer of a prompt.
    func answer(_ prompt: Prompt, _ sampling: SamplingParameters) async throws -> Completion {
        try await completion(of: engine.submit(Request(prompt, sampling: sampling)))
    }
}

/// A tokenizer whose ids 0 to 255 are the bytes of that value.
func byteTokenizer() throws -> Tokenizer {
    let lines = (0...255).map { Data([UInt8($0)]).base64EncodedString() + " \($0)\n" }
    return try Tokenizer(tokenizerModel: Array(lines.joined().utf8))
}

/// Reads a stream to its end.
func completion(of events: Engine.Events) async throws -> Completion {
    var result: Completion?
    var text = ""
    for try await event in events {
        switch event {
        case .token(_, let piece), .text(let piece): text += piece
        case .finished(let completion): result = completion
        case .encodingImage, .imageEncoded, .prefill: break
        }
    }
    let completion = try #require(result, "the stream ended without an answer")
    #expect(text == completion.text)
    return completion
}

/// A text prompt of ids counted from `first`.
func textPrompt(_ count: Int, first: Int32 = 10) throws -> Prompt {
    try Prompt(tokenIDs: (0..<Int32(count)).map { (first + $0) % 250 })
}

/// A prompt with a picture of 4 patches: `before` ids, 6 rows of the picture, `after` ids.
func imagePrompt(before: Int = 3, after: Int = 4, image: PreparedImage, tail: [Int32] = []) -> Prompt {
    let head = (0..<Int32(before)).map { $0 + 20 }
    let rest = (0..<Int32(after)).map { $0 + 40 } + tail
    let imageRows = before..<before + 6
    let rows = head + [Int32](repeating: ForwardBatch.imageRow, count: 6) + rest
    let begin = Int32(before)
    let middle = [Int32](repeating: begin + 1, count: 4)
    let positions =
        (0...begin).map { $0 } + middle + [begin + 2] + rest.indices.map { begin + 3 + Int32($0) }
    return Prompt(
        tokenIDs: head + [264, 256, 265] + rest,
        rows: PromptRows(tokenIDs: rows, positions: positions, imageRows: imageRows, imageHash: image.hash),
        image: image)
}
