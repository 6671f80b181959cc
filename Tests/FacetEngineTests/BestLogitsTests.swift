import FacetEngine
import FacetTensor
import FacetTestSupport
import Synchronization
import Testing

@Suite("The best logits of segments decide as whole rows do")
struct BestLogitsTests {
    /// The tokens that whole rows and the best of them give, until the best ones do not decide any more.
    private func compare(_ parameters: SamplingParameters, _ rows: [[Float]], seed: UInt64) throws -> Int {
        var whole = Sampler(parameters, seed: seed, prompt: [])
        var picking = Sampler(parameters, seed: seed, prompt: [])
        var heap = CandidateHeap()
        for (index, row) in rows.enumerated() {
            let count = try #require(picking.sufficientLogits(of: row.count))
            let logits = Logits(capacity: 1, vocabularySize: row.count)
            let isFilled = logits.fillBest(rowCount: 1, count: count) { (picks, bytes) in
                picks.picked(from: row).withUnsafeBytes { bytes.copyMemory(from: $0) }
                return true
            }
            #expect(isFilled)
            let best = try #require(logits.best(0))
            guard picking.isDecided(by: best) else { return index }
            var copy = row
            let expected = try copy.withUnsafeMutableBufferPointer { (row) throws(Sampler.NonFiniteLogit) in
                try whole.sample(row, &heap)
            }
            #expect(try picking.sample(best) == expected, "row \(index) of \(parameters)")
        }
        return rows.count
    }

    private static let settings = [
        SamplingParameters(), SamplingParameters(temperature: 0.7, topK: 1),
        SamplingParameters(temperature: 0.8, topK: 5), SamplingParameters(temperature: 1.3, topK: 50, topP: 0.8),
        SamplingParameters(temperature: 3, topK: 127, topP: 0.97),
    ]

    @Test("over seeds, with logits that are equal across segments", arguments: settings, 0..<4 as Range<UInt64>)
    func seeds(parameters: SamplingParameters, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for width in [5000, 4096, 1500] {
            let rows = (0..<12).map { _ in
                // Eighths over a wide range: some are equal, and few enough at the top.
                (0..<width).map { _ in (Float.random(in: -400..<400, using: &random) * 8).rounded() / 8 }
            }
            #expect(try compare(parameters, rows, seed: seed) == rows.count)
        }
    }

    @Test("logits that a division makes equal go by their ids")
    func division() throws {
        // Neighbors, the larger ones last, some of which a division cannot tell apart: its result has fewer digits.
        var row = [Float](repeating: -5, count: 3000)
        var logit: Float = 1.9
        for id in [20, 40, 1500, 2900] {
            row[id] = logit
            logit = logit.nextUp
        }
        #expect(Set([20, 40, 1500, 2900].map { row[$0] / 1.8 }).count < 4)
        for topK in 2...4 {
            for seed in 0..<20 as Range<UInt64> {
                #expect(try compare(SamplingParameters(temperature: 1.8, topK: topK), [row], seed: seed) == 1)
            }
        }
    }

    @Test("where too many are equal the whole row is asked for, and nothing is drawn before")
    func ties() throws {
        let parameters = SamplingParameters(temperature: 1, topK: 4)
        #expect(try compare(parameters, [[Float](repeating: 1, count: 2000)], seed: 1) == 0)
        // Five in each of two segments: the fifth of the first uses it up.
        var row = [Float](repeating: 0, count: 2200)
        for id in [3, 5, 7, 9, 11] { (row[id], row[id + 1024]) = (2, 2) }
        #expect(try compare(parameters, [row], seed: 1) == 0)
        for id in [9, 11] { (row[id], row[id + 1024]) = (0, 0) }
        #expect(try compare(parameters, [row], seed: 1) == 1)
        // Greedy takes the first, however many there are.
        #expect(try compare(SamplingParameters(), [[Float](repeating: 1, count: 2000)], seed: 1) == 1)
    }

    @Test("a short last segment that is here as a whole is not used up")
    func shortSegment() throws {
        var row = [Float](repeating: -9, count: 1024 + 3)
        for id in 1024..<1027 { row[id] = 4 }
        #expect(try compare(SamplingParameters(temperature: 1, topK: 3), [row], seed: 3) == 1)
    }

    @Test("a logit that is not finite is named as in a whole row", arguments: [Float.nan, .infinity, -.infinity])
    func nonFinite(value: Float) throws {
        var row = [Float](repeating: 0, count: 3000)
        (row[1700], row[2500]) = (value, .nan)
        for parameters in [SamplingParameters(), SamplingParameters(temperature: 1, topK: 9)] {
            #expect(throws: Sampler.NonFiniteLogit(tokenID: 1700)) { try compareOne(parameters, row) }
        }
    }

    private func compareOne(_ parameters: SamplingParameters, _ row: [Float]) throws {
        var sampler = Sampler(parameters, seed: 1, prompt: [])
        let logits = Logits(capacity: 1, vocabularySize: row.count)
        let count = try #require(sampler.sufficientLogits(of: row.count))
        _ = logits.fillBest(rowCount: 1, count: count) { (picks, bytes) in
            picks.picked(from: row).withUnsafeBytes { bytes.copyMemory(from: $0) }
            return true
        }
        let best = try #require(logits.best(0))
        #expect(sampler.isDecided(by: best))
        _ = try sampler.sample(best)
    }

    @Test("penalties, top-p by itself and large top-k take whole rows")
    func whole() {
        func count(_ parameters: SamplingParameters, _ vocabularySize: Int = 5000) -> Int? {
            Sampler(parameters, seed: 1, prompt: []).sufficientLogits(of: vocabularySize)
        }
        #expect(count(SamplingParameters(repetitionPenalty: 1.1)) == nil)
        #expect(count(SamplingParameters(temperature: 1, topP: 0.8)) == nil)
        #expect(count(SamplingParameters(temperature: 1, topK: 128)) == nil)
        #expect(count(SamplingParameters(temperature: 1, topK: 60), 60) == nil)
        #expect(count(SamplingParameters(temperature: 1, topK: 60)) == 61)
        #expect(count(SamplingParameters()) == 1)
        // Two numbers for each that is kept: whole rows are shorter.
        let logits = Logits(capacity: 1, vocabularySize: 100)
        #expect(!logits.fillBest(rowCount: 1, count: 50) { (_, _) in true })
    }

    @Test(
        "an engine gives the same answers, with equal logits in every row too", arguments: [false, true], [1, 2])
    func engine(hasTies: Bool, pipelineDepth: Int) async throws {
        for (index, parameters) in Self.settings.enumerated() {
            var sampling = parameters
            (sampling.maxTokens, sampling.seed) = (12, UInt64(index))
            var answers: [[Int32]] = []
            for picksBest in [false, true] {
                let fixture = try EngineFixture(pipelineDepth: pipelineDepth) {
                    $0.picksBest = picksBest
                    $0.hasTies = hasTies
                }
                answers.append(try await fixture.answer(textPrompt(9), sampling).tokenIDs)
                let (picked, repeated) = fixture.record.state.withLock { ($0.pickedStepCount, $0.repeatedStepCount) }
                #expect(picksBest ? picked > 0 : picked == 0)
                #expect((repeated > 0) == (picksBest && hasTies && parameters.topK > 1))
                #expect(fixture.record.problems.isEmpty)
            }
            #expect(answers[0] == answers[1] && answers[0].count == 12, "\(sampling)")
        }
    }
}
