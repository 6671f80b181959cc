import FacetEngine
import Foundation
import Testing

/// The processors written as plainly as they can be, after transformers' `logits_process.py`, in double precision.
private struct ReferenceSampler {
    let parameters: SamplingParameters
    let history: [Int32]

    /// The probability of every id.
    func probabilities(_ logits: [Float]) -> [Double] {
        var scores = logits.map(Double.init)
        for id in Set(history) {
            let score = scores[Int(id)]
            let penalty = Double(parameters.repetitionPenalty)
            scores[Int(id)] = score < 0 ? score * penalty : score / penalty
        }
        if parameters.isGreedy {
            let best = scores.indices.max { scores[$0] < scores[$1] || (scores[$0] == scores[$1] && $0 > $1) } ?? 0
            return scores.indices.map { $0 == best ? 1 : 0 }
        }
        scores = scores.map { $0 / Double(parameters.temperature) }
        if parameters.topK > 0 {
            let threshold = scores.sorted(by: >)[min(parameters.topK, scores.count) - 1]
            scores = scores.map { $0 < threshold ? -.infinity : $0 }
        }
        if parameters.topP < 1 {
            // Ascending, and of equal scores the higher id first, so that it is the one to go.
            let order = scores.indices.sorted { (scores[$0], $1) < (scores[$1], $0) }
            let sorted = softmax(order.map { scores[$0] })
            var sum = 0.0
            for (place, id) in order.dropLast().enumerated() {
                sum += sorted[place]
                if sum <= 1 - Double(parameters.topP) { scores[id] = -.infinity }
            }
        }
        return softmax(scores)
    }

    private func softmax(_ scores: [Double]) -> [Double] {
        let top = scores.max() ?? 0
        let weights = scores.map { exp($0 - top) }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}

/// Draws once from a copy of the logits.
private func draw(_ sampler: inout Sampler, _ logits: [Float]) throws -> Int32 {
    var logits = logits
    var heap = CandidateHeap()
    return try logits.withUnsafeMutableBufferPointer { (logits) throws(Sampler.NonFiniteLogit) in
        try sampler.sample(logits, &heap)
    }
}

@Suite("Sampler")
struct SamplerTests {
    private static func randomLogits(_ count: Int, _ random: inout SplitMix64) -> [Float] {
        // Quarters, so that ties occur.
        (0..<count).map { _ in Float(Int.random(in: -16...16, using: &random)) / 4 }
    }

    @Test("agrees with a plain implementation of the processors", arguments: 0..<24)
    func reference(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let logits = Self.randomLogits(40, &random)
        let history = (0..<6).map { _ in Int32.random(in: 0..<40, using: &random) }
        let parameters = SamplingParameters(
            temperature: [0.3, 0.8, 1.5][Int(seed % 3)], topK: [0, 5, 17, 60][Int(seed % 4)],
            topP: [1, 0.83, 0.4][Int(seed / 3 % 3)], repetitionPenalty: seed % 2 == 0 ? 1.3 : 1)
        let expected = ReferenceSampler(parameters: parameters, history: history).probabilities(logits)
        let drawCount = 4000
        var counts = [Int](repeating: 0, count: 40)
        for number in 0..<drawCount {
            // A fresh sampler each time: the history must not grow.
            var sampler = Sampler(parameters, seed: mix(seed, UInt64(number)), prompt: history)
            counts[Int(try draw(&sampler, logits))] += 1
        }
        for (id, probability) in expected.enumerated() {
            if probability == 0 { #expect(counts[id] == 0, "id \(id) was cut") }
            // Five standard deviations of a binomial count.
            let deviation = (Double(drawCount) * probability * (1 - probability)).squareRoot()
            #expect(abs(Double(counts[id]) - Double(drawCount) * probability) <= 5 * deviation + 1, "id \(id)")
        }
    }

    @Test(
        "takes the best token, and of equal ones the lowest id",
        arguments: [
            ([1, 3, 2], 1), ([2, 2, 1], 0), ([-1, -5, -1], 0), ([0], 0), ([-2, -1, -1, -3], 1),
        ] as [([Float], Int32)])
    func greedy(logits: [Float], best: Int32) throws {
        for parameters in [
            SamplingParameters(temperature: 0), SamplingParameters(temperature: 1e-5),
            SamplingParameters(temperature: 1, topK: 1),
        ] {
            var sampler = Sampler(parameters, seed: 1, prompt: [])
            #expect(try draw(&sampler, logits) == best)
        }
    }

    @Test("penalizes each id of the prompt once, whatever its sign")
    func penalty() throws {
        let parameters = SamplingParameters(repetitionPenalty: 2)
        // 4 / 2 < 3: the second id wins, although the first occurs three times and would stay ahead of 0.4.
        var sampler = Sampler(parameters, seed: 1, prompt: [0, 0, 0])
        #expect(try draw(&sampler, [4, 1.9, 0.4]) == 0)
        var second = Sampler(parameters, seed: 1, prompt: [0, 0, 0])
        #expect(try draw(&second, [4, 2.1, 0.4]) == 1)
        var negative = Sampler(parameters, seed: 1, prompt: [0])
        #expect(try draw(&negative, [-1, -1.5, -1.9]) == 1)
    }

    @Test("penalizes what it has chosen itself")
    func penaltyOnOutput() throws {
        var sampler = Sampler(SamplingParameters(repetitionPenalty: 2), seed: 1, prompt: [])
        let logits: [Float] = [4, 3, 2.5]
        #expect(try (0..<3).map { _ in try draw(&sampler, logits) } == [0, 1, 2])
    }

    @Test("divides by the temperature before it cuts at top-p")
    func order() throws {
        // Softmax of [2, 1, 0] has 0.67, 0.24, 0.09; at temperature 4 it has 0.42, 0.33, 0.26.
        let logits: [Float] = [2, 1, 0]
        func support(_ temperature: Float) throws -> Set<Int32> {
            var found: Set<Int32> = []
            var sampler = Sampler(SamplingParameters(temperature: temperature, topP: 0.7), seed: 5, prompt: [])
            for _ in 0..<300 { found.insert(try draw(&sampler, logits)) }
            return found
        }
        #expect(try support(0.5) == [0])
        #expect(try support(1) == [0, 1])
        #expect(try support(4) == [0, 1])
        #expect(try support(40) == [0, 1, 2])
    }

    @Test("cuts at top-k before top-p, so that top-p counts only what is left")
    func orderOfCuts() throws {
        // All: 0.4, 0.3, 0.2, 0.1. Top-p of 0.6 alone keeps two; after top-k of 2 (0.57, 0.43) it keeps two as well,
        // but 0.5 keeps one only after top-k.
        let logits = [0.4, 0.3, 0.2, 0.1].map { Float(log($0)) }
        func support(_ topK: Int) throws -> Set<Int32> {
            var found: Set<Int32> = []
            var sampler = Sampler(SamplingParameters(temperature: 1, topK: topK, topP: 0.5), seed: 5, prompt: [])
            for _ in 0..<300 { found.insert(try draw(&sampler, logits)) }
            return found
        }
        #expect(try support(0) == [0, 1])
        #expect(try support(2) == [0])
    }

    @Test("keeps all tokens that equal the last of the top k")
    func tiesAtTopK() throws {
        var found: Set<Int32> = []
        var sampler = Sampler(SamplingParameters(temperature: 1, topK: 2), seed: 5, prompt: [])
        for _ in 0..<300 { found.insert(try draw(&sampler, [3, 2, 2, 1])) }
        #expect(found == [0, 1, 2])
    }

    @Test("always keeps one token, however small top-p is")
    func tinyTopP() throws {
        var sampler = Sampler(SamplingParameters(temperature: 1, topP: 0), seed: 5, prompt: [])
        for _ in 0..<20 { #expect(try draw(&sampler, [1, 1, 1.5, 0]) == 2) }
    }

    @Test("repeats its draws for the same seed and not for another")
    func seeds() throws {
        var random = SplitMix64(seed: 9)
        let logits = Self.randomLogits(64, &random)
        func draws(_ seed: UInt64) throws -> [Int32] {
            var sampler = Sampler(SamplingParameters(temperature: 1, topP: 0.95), seed: seed, prompt: [])
            return try (0..<50).map { _ in try draw(&sampler, logits) }
        }
        #expect(try draws(1) == draws(1))
        #expect(try draws(1) != draws(2))
    }

    @Test("refuses NaN and infinite logits", arguments: [Float.nan, .infinity, -.infinity])
    func nonFinite(value: Float) throws {
        for parameters in [SamplingParameters(), SamplingParameters(temperature: 1)] {
            var sampler = Sampler(parameters, seed: 1, prompt: [])
            #expect(throws: Sampler.NonFiniteLogit(tokenID: 2)) { try draw(&sampler, [1, 2, value, 4]) }
        }
    }

    @Test("works at the size of the real vocabulary")
    func realSize() throws {
        var random = SplitMix64(seed: 3)
        var logits = (0..<151_552).map { _ in Float.random(in: -8..<8, using: &random) }
        for id in [7, 70_000, 151_551] { logits[id] = 30 }
        var sampler = Sampler(SamplingParameters(temperature: 0.8, topK: 3, topP: 0.9), seed: 1, prompt: [])
        for _ in 0..<10 { #expect([7, 70_000, 151_551].contains(try draw(&sampler, logits))) }
        var nucleus = Sampler(SamplingParameters(temperature: 0.8, topP: 0.999), seed: 1, prompt: [])
        for _ in 0..<10 { #expect([7, 70_000, 151_551].contains(try draw(&nucleus, logits))) }
        var greedy = Sampler(SamplingParameters(), seed: 1, prompt: [])
        #expect(try draw(&greedy, logits) == 7)
    }

    @Test("makes the published numbers of SplitMix64")
    func generator() {
        // The first outputs for seed 1234567, from the reference program of Vigna.
        var random = SplitMix64(seed: 1_234_567)
        let numbers = (0..<3).map { _ in random.next() }
        #expect(numbers == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
        #expect((0..<1000).allSatisfy { _ in (0..<1).contains(random.nextUnit()) })
    }
}

@Suite("Sampling parameters")
struct SamplingParametersTests {
    @Test("accepts what makes sense")
    func valid() throws {
        try SamplingParameters().validate()
        try SamplingParameters(
            temperature: 0.8, topK: 50, topP: 0.8, repetitionPenalty: 1.2, seed: 0, maxTokens: 1, stopTokenIDs: [1],
            stopStrings: ["\n\n"]
        ).validate()
    }

    @Test(
        "refuses each value that does not, by name",
        arguments: [
            ("temperature", SamplingParameters(temperature: -1)),
            ("temperature", SamplingParameters(temperature: .nan)),
            ("temperature", SamplingParameters(temperature: .infinity)), ("top_k", SamplingParameters(topK: -1)),
            ("top_p", SamplingParameters(topP: 1.01)), ("top_p", SamplingParameters(topP: .nan)),
            ("repetition_penalty", SamplingParameters(repetitionPenalty: 0)),
            ("repetition_penalty", SamplingParameters(repetitionPenalty: .infinity)),
            ("max_tokens", SamplingParameters(maxTokens: 0)), ("stop", SamplingParameters(stopStrings: [""])),
            ("stop", SamplingParameters(stopStrings: [String](repeating: "x", count: 17))),
            (
                "stop",
                SamplingParameters(
                    stopStrings: [String](repeating: "x", count: 1).map { _ in String(repeating: "y", count: 1025) })
            ),
        ])
    func invalid(name: String, parameters: SamplingParameters) {
        let error = #expect(throws: EngineError.self) { try parameters.validate() }
        guard case .invalidSampling(let parameter, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(parameter == name)
    }
}
