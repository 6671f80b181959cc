import FacetTensor

/// The best logits of each segment of one row, best first: all that a sampler needs of it that keeps few tokens.
///
/// Valid as long as the `Logits` that it is of are not filled again.
package struct BestLogits {
    /// A token and its logit.
    struct Candidate {
        let id: Int32
        let logit: Float
    }

    private let values: UnsafeBufferPointer<Float>
    private let ids: UnsafeBufferPointer<Float>  // the bits of int32
    private let picks: LargestNumbers

    init(values: UnsafeBufferPointer<Float>, ids: UnsafeBufferPointer<Float>, _ picks: LargestNumbers) {
        self.values = values
        self.ids = ids
        self.picks = picks
    }

    private func candidate(_ place: Int) -> Candidate {
        Candidate(id: Int32(bitPattern: ids[place].bitPattern), logit: values[place])
    }

    /// The first id whose logit is not finite.
    var firstNonFinite: Int32? {
        for start in stride(from: 0, to: values.count, by: picks.count) where values[start] == .infinity {
            return candidate(start).id
        }
        return nil
    }

    /// The best id; of equal ones the lowest.
    var best: Int32 {
        var best = candidate(0)
        for start in stride(from: picks.count, to: values.count, by: picks.count) where values[start] > best.logit {
            best = candidate(start)
        }
        return best.id
    }

    /// The `count` best candidates after a division, and all that equal the last of them then: best first, equal ones by
    /// their id.
    ///
    /// - Returns: nil where a segment may have more of them than are here.
    func best(_ count: Int, dividedBy temperature: Float) -> [Candidate]? {
        var next = Array(stride(from: 0, to: values.count, by: picks.count))
        var kept: [Candidate] = []
        while true {
            var found: (segment: Int, logit: Float)?
            for (segment, place) in next.enumerated() where place < (segment + 1) * picks.count {
                let logit = values[place] / temperature
                if logit > found?.logit ?? -.infinity { found = (segment, logit) }
            }
            guard let found, kept.count < count || found.logit >= kept[kept.count - 1].logit else { break }
            kept.append(Candidate(id: candidate(next[found.segment]).id, logit: found.logit))
            next[found.segment] += 1
            let isUsedUp = next[found.segment] == (found.segment + 1) * picks.count
            let length = min(LargestNumbers.segmentLength, picks.width - found.segment * LargestNumbers.segmentLength)
            if isUsedUp && picks.count < length { return nil }
        }
        // A division makes unequal logits equal, which then go by their id.
        return kept.sorted { ($1.logit, $0.id) < ($0.logit, $1.id) }
    }
}
