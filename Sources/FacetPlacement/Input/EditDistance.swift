/// How alike two names are, to propose the one that was meant.
package enum EditDistance {
    /// The least number of insertions, deletions, substitutions and swaps of neighbors that turn `a` into `b`.
    ///
    /// The optimal string alignment distance; takes time in the product of the lengths.
    package static func between(_ a: String, _ b: String) -> Int {
        let a = Array(a.unicodeScalars)
        let b = Array(b.unicodeScalars)
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in b.indices {
                var best = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }

    /// The candidate nearest to a name, the first of several; nil when none is alike enough to be worth naming.
    package static func nearest(to name: String, in candidates: some Sequence<String>) -> String? {
        let name = String(name.unicodeScalars.prefix(longestName)).lowercased()
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = between(name, candidate.lowercased())
            if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(2, best.candidate.unicodeScalars.count / 2) else { return nil }
        return best.candidate
    }

    /// No name that is meant seriously is longer; it bounds the time that hostile input can take.
    private static let longestName = 120
}
