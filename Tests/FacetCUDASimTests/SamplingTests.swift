import FacetCUDA
import FacetCheckpoint
import FacetEngine
import FacetModel
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

@Suite("What a card picks of logits decides as whole rows do", .serialized)
struct SamplingTests {
    @Test("the largest of each segment, with equal and broken ones", arguments: [1, 6, 128])
    func picks(count: Int) throws {
        try BackendPair.run { pair in
            let picks = LargestNumbers(rowCount: 3, width: 2500, count: count)
            // Quarters between -8 and 8: each number stands there many times.
            var numbers = try pair.numbers(pair.random([3, 2500], .float32, scale: 32).cpu).map { ($0).rounded() / 4 }
            (numbers[70], numbers[2500 + 1500], numbers[5000 + 2400]) = (.nan, -.infinity, .infinity)
            let rows = try pair.card.allocate([3, 2500], .float32, label: "rows")
            try numbers.withUnsafeBytes { bytes in try pair.card.upload(bytes, into: rows) }
            var got = [Float](repeating: 0, count: 2 * picks.pickCount)
            let isDone = try got.withUnsafeMutableBytes { bytes in
                let isDone = try pair.card.enqueueDownload(picks, of: rows, into: bytes)
                try pair.card.synchronize()
                return isDone
            }
            #expect(isDone)
            #expect(got.map(\.bitPattern) == picks.picked(from: numbers).map(\.bitPattern))
        }
    }

    @Test("more than fits beside a pass is left to the host, and so is everything on a processor")
    func refused() throws {
        try BackendPair.run { pair in
            let picks = LargestNumbers(rowCount: 1100, width: 1024, count: 1024)
            let (card, host) = (
                try pair.card.allocate([1100, 1024], .float32, label: "rows"),
                try pair.cpu.allocate([1100, 1024], .float32, label: "rows")
            )
            var bytes = [UInt8](repeating: 0, count: picks.byteCount)
            let (onCard, onHost) = try bytes.withUnsafeMutableBytes { bytes in
                (
                    try pair.card.enqueueDownload(picks, of: card, into: bytes),
                    try pair.cpu.enqueueDownload(picks, of: host, into: bytes)
                )
            }
            #expect(!onCard && !onHost)
        }
    }

    @Test("the same tokens over seeds, from the same step with whole rows and with the best")
    func tokens() throws {
        let folder = FixtureFolder.path("glm4v-tiny")
        let configuration = try GLM4VConfiguration(
            parsing: FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20))
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [120])) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0], budgets: [48 << 20])
            let model = try GLM4V(
                source: Checkpoint(folder: folder.path), configuration: configuration, dtype: .bfloat16,
                devices: cards.backends, placement: .single(configuration))
            let runner = try ModelRunner(
                model, limits: ModelLimits(maxRows: 16, maxSequences: 2, pageSize: 16, pageCount: 4, maxImages: 0))
            for parameters in [
                SamplingParameters(), SamplingParameters(temperature: 0.8, topK: 4),
                SamplingParameters(temperature: 1.2, topK: 50, topP: 0.8),
            ] {
                try compare(parameters, runner)
            }
        }
    }

    private func compare(_ parameters: SamplingParameters, _ runner: ModelRunner) throws {
        var batch = ForwardBatch()
        for (sequence, length) in [5, 9].enumerated() {
            batch.tokenIDs += (0..<Int32(length)).map { $0 * 31 + Int32(sequence) + 7 }
            batch.positions += 0..<Int32(length)
            batch.slots += (0..<Int32(length)).map { $0 + Int32(sequence) * 16 }
            batch.offsets.append(Int32(batch.rowCount))
            batch.contextLengths.append(Int32(length))
            batch.pages.append([Int32(sequence)])
            batch.sampledRows.append(Int32(batch.rowCount - 1))
        }
        var whole: [[Float]] = []
        let all = try runner.forward(batch)
        for row in 0..<2 {
            #expect(all.best(row) == nil)
            whole.append(all.withRow(row) { Array($0) })
        }
        var sampler = Sampler(parameters, seed: 0, prompt: [])
        batch.sufficientLogits = sampler.sufficientLogits(of: runner.vocabularySize)
        #expect(batch.sufficientLogits != nil)
        let picked = try runner.forward(batch)
        var heap = CandidateHeap()
        for row in 0..<2 {
            let best = try #require(picked.best(row), "the card picked nothing")
            for seed in 0..<40 as Range<UInt64> {
                sampler = Sampler(parameters, seed: seed, prompt: [])
                #expect(sampler.isDecided(by: best))
                let token = try sampler.sample(best)
                sampler = Sampler(parameters, seed: seed, prompt: [])
                var copy = whole[row]
                let expected = try copy.withUnsafeMutableBufferPointer { (logits) throws(Sampler.NonFiniteLogit) in
                    try sampler.sample(logits, &heap)
                }
                #expect(token == expected, "row \(row), seed \(seed), \(parameters)")
            }
        }
        let repeated = try runner.repeatForAllLogits(batch)
        for row in 0..<2 { #expect(repeated.withRow(row) { Array($0) } == whole[row]) }
    }
}
