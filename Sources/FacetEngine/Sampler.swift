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

    /// How many of the best logits of each segment decide the next token; nil when it takes all of a row.
    ///
    /// A penalty changes logits wherever they stand, and top-p by itself weighs all of them.
    package func sufficientLogits(of vocabularySize: Int) -> Int? {
        guard parameters.repetitionPenalty == 1 else { return nil }
        if parameters.isGreedy { return 1 }
        guard parameters.topK > 0 && parameters.topK < vocabularySize && parameters.topK <= Self.mostPicked else {
            return nil
        }
        // One more than may be kept, so that only equal ones can use up a segment.
        return parameters.topK + 1
    }

    /// Largest top-k that goes by the best logits of segments.
    package static let mostPicked = 127

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

    /// Whether the best logits decide what the whole row would; not where too many are equal.
    package func isDecided(by best: BestLogits) -> Bool {
        parameters.isGreedy || best.firstNonFinite != nil
            || best.best(parameters.topK, dividedBy: parameters.temperature) != nil
    }

    /// Chooses the token that `sample` would choose from the whole row.
    ///
    /// - Parameter best: at least `sufficientLogits` of each segment.
    /// - Throws: as `sample` of the whole row.
    /// - Precondition: they decide it.
    package mutating func sample(_ best: BestLogits) throws(NonFiniteLogit) -> Int32 {
        if let id = best.firstNonFinite { throw NonFiniteLogit(tokenID: Int(id)) }
        if parameters.isGreedy { return best.best }
        guard let kept = best.best(parameters.topK, dividedBy: parameters.temperature) else {
            preconditionFailure("too many logits are equal: it takes the whole row")
        }
        return draw(from: nucleus(of: kept))
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
        if parameters.topK > 0 && parameters.topK < logits.count {
            return draw(from: nucleus(of: takeBest(parameters.topK, logits, &heap)))
        }
        let top = heap.best().map { logits[Int($0)] } ?? 0
        let total = logits.reduce(0) { $0 + Self.weight($1, top) }
        let kept = nucleus(share: Double(parameters.topP) * total) {
            heap.removeBest(logits).map { BestLogits.Candidate(id: $0, logit: logits[Int($0)]) }
        }
        return draw(from: kept)
    }

    private static func weight(_ logit: Float, _ top: Float) -> Double { Double(expf(logit - top)) }

    /// The `count` best and all whose logit equals the last of them, best first.
    private func takeBest(
        _ count: Int, _ logits: UnsafeMutableBufferPointer<Float>, _ heap: inout CandidateHeap
    ) -> [BestLogits.Candidate] {
        var kept: [BestLogits.Candidate] = []
        while let next = heap.best() {
            if kept.count >= count, let last = kept.last, logits[Int(next)] < last.logit { break }
            if let id = heap.removeBest(logits) { kept.append(BestLogits.Candidate(id: id, logit: logits[Int(id)])) }
        }
        return kept
    }

    /// What top-p leaves of what top-k kept.
    private func nucleus(of kept: [BestLogits.Candidate]) -> [BestLogits.Candidate] {
        guard parameters.topP < 1, let top = kept.first?.logit else { return kept }
        let total = kept.reduce(0) { $0 + Self.weight($1.logit, top) }
        var rest = kept[...]
        return nucleus(share: Double(parameters.topP) * total) { rest.popFirst() }
    }

    /// The best up to the one that completes `share` of the weight; always at least one.
    private func nucleus(share: Double, next: () -> BestLogits.Candidate?) -> [BestLogits.Candidate] {
        var kept: [BestLogits.Candidate] = []
        var sum = 0.0
        while kept.isEmpty || sum < share {
            guard let candidate = next() else { break }
            kept.append(candidate)
            sum += Self.weight(candidate.logit, kept[0].logit)
        }
        return kept
    }

    /// - Parameter kept: best first.
    private mutating func draw(from kept: [BestLogits.Candidate]) -> Int32 {
        guard let top = kept.first?.logit else { return 0 }
        var remaining = generator.nextUnit() * kept.reduce(0) { $0 + Self.weight($1.logit, top) }
        for candidate in kept {
            remaining -= Self.weight(candidate.logit, top)
            if remaining < 0 { return candidate.id }
        }
        return kept.last { Self.weight($0.logit, top) > 0 }?.id ?? 0
    }
}
