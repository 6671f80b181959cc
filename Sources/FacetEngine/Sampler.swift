#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Chooses the next token of one sequence from its logits.
///
/// The processors and their order are those of transformers' `generate`: repetition penalty, temperature, top-k,
/// top-p, softmax, draw (`logits_process.py`). The draw uses the sequence's own `SplitMix64`, so an answer depends on
/// its seed and not on what else is in the batch. Equal best logits are decided for the lowest id.
package struct Sampler: Sendable {
    /// Why no token can be chosen: the first logit that is NaN or infinite.
    package struct NonFiniteLogit: Error, Hashable {
        /// The id whose logit it is.
        package let tokenID: Int

        /// Names an id.
        package init(tokenID: Int) { self.tokenID = tokenID }
    }

    private let parameters: SamplingParameters
    private var generator: SplitMix64

    // Each id once, whatever how often it occurred; empty when there is no penalty.
    private var seen: [Int32] = []
    private var isSeen: Set<Int32> = []

    /// Makes a sampler for one sequence.
    ///
    /// - Parameters:
    ///   - parameters: already validated.
    ///   - seed: starts the draws.
    ///   - prompt: unexpanded prompt ids, the picture's placeholders included; they count for the penalty.
    package init(_ parameters: SamplingParameters, seed: UInt64, prompt: [Int32]) {
        self.parameters = parameters
        generator = SplitMix64(seed: seed)
        prompt.forEach { observe($0) }
    }

    private mutating func observe(_ id: Int32) {
        if parameters.repetitionPenalty != 1 && isSeen.insert(id).inserted { seen.append(id) }
    }

    /// Chooses a token.
    ///
    /// - Parameters:
    ///   - logits: `[vocabulary]`, float32; overwritten.
    ///   - heap: scratch.
    /// - Throws: when any logit is NaN or infinite; then nothing was chosen or drawn.
    /// - Complexity: O(vocabulary) + O(log vocabulary) for each token that top-k or top-p keeps.
    package mutating func sample(
        _ logits: UnsafeMutableBufferPointer<Float>, _ heap: inout CandidateHeap
    ) throws(NonFiniteLogit) -> Int32 {
        precondition(!logits.isEmpty, "there are no logits to sample from")
        if let index = logits.firstIndex(where: { !$0.isFinite }) { throw NonFiniteLogit(tokenID: index) }
        penalize(logits)
        let id = parameters.isGreedy ? Self.best(logits) : draw(logits, &heap)
        observe(id)
        return id
    }

    private func penalize(_ logits: UnsafeMutableBufferPointer<Float>) {
        let penalty = parameters.repetitionPenalty
        for id in seen where id >= 0 && id < logits.count {
            let logit = logits[Int(id)]
            logits[Int(id)] = logit < 0 ? logit * penalty : logit / penalty
        }
    }

    private static func best(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
        var best = 0
        for index in 1..<max(logits.count, 1) where logits[index] > logits[best] { best = index }
        return Int32(best)
    }

    private mutating func draw(_ logits: UnsafeMutableBufferPointer<Float>, _ heap: inout CandidateHeap) -> Int32 {
        for index in logits.indices { logits[index] /= parameters.temperature }
        let keepsAll = parameters.topP >= 1 && (parameters.topK == 0 || parameters.topK >= logits.count)
        return keepsAll ? drawFromAll(logits) : drawFromBest(logits, &heap)
    }

    private mutating func drawFromAll(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
        let top = logits[Int(Self.best(logits))]
        var total = 0.0
        for index in logits.indices {
            let weight = expf(logits[index] - top)
            logits[index] = weight
            total += Double(weight)
        }
        var remaining = generator.nextUnit() * total
        for index in logits.indices {
            remaining -= Double(logits[index])
            if remaining < 0 { return Int32(index) }
        }
        // Rounding left a crumb: the last token that has any weight.
        return Int32(logits.lastIndex { $0 > 0 } ?? 0)
    }

    private mutating func drawFromBest(
        _ logits: UnsafeMutableBufferPointer<Float>, _ heap: inout CandidateHeap
    ) -> Int32 {
        heap.fill(logits)
        guard let first = heap.best() else { return 0 }
        let top = logits[Int(first)]
        let weight = { (id: Int32) in Double(expf(logits[Int(id)] - top)) }

        var kept: [Int32] = []
        var total = 0.0
        if parameters.topK > 0 && parameters.topK < logits.count {
            kept = takeBest(parameters.topK, logits, &heap)
            total = kept.reduce(0) { $0 + weight($1) }
        } else {
            for index in logits.indices { total += weight(Int32(index)) }
        }
        if parameters.topP < 1 {
            kept = nucleus(of: kept, share: Double(parameters.topP) * total, weight, logits, &heap)
        }
        return draw(from: kept, weight)
    }

    /// The `count` best ids and all whose logit equals the last of them, best first.
    private func takeBest(
        _ count: Int, _ logits: UnsafeMutableBufferPointer<Float>, _ heap: inout CandidateHeap
    ) -> [Int32] {
        var kept: [Int32] = []
        while let next = heap.best() {
            if kept.count >= count, let last = kept.last, logits[Int(next)] < logits[Int(last)] { break }
            if let id = heap.removeBest(logits) { kept.append(id) }
        }
        return kept
    }

    /// The best ids up to the one that completes `share` of the weight; always at least one.
    ///
    /// - Parameter sorted: what top-k kept, or empty to take from the heap.
    private func nucleus(
        of sorted: [Int32], share: Double, _ weight: (Int32) -> Double, _ logits: UnsafeMutableBufferPointer<Float>,
        _ heap: inout CandidateHeap
    ) -> [Int32] {
        var kept: [Int32] = []
        var sum = 0.0
        var rest = sorted[...]
        while kept.isEmpty || sum < share {
            guard let id = sorted.isEmpty ? heap.removeBest(logits) : rest.popFirst() else { break }
            kept.append(id)
            sum += weight(id)
        }
        return kept
    }

    private mutating func draw(from ids: [Int32], _ weight: (Int32) -> Double) -> Int32 {
        var remaining = generator.nextUnit() * ids.reduce(0) { $0 + weight($1) }
        for id in ids {
            remaining -= weight(id)
            if remaining < 0 { return id }
        }
        return ids.last { weight($0) > 0 } ?? 0
    }
}
