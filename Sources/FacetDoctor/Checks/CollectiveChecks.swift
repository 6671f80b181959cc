extension Check {
    /// What cards compute together.
    static let collective: [Check] = [Check(.collective, "sum of two cards", sums)]

    /// A sum may take so many times as long as the copies that it is made of.
    private static let slowdown = 3.0

    private static func sums(_ facts: Facts, _ check: Check) -> [Finding] {
        (facts.gpu?.sums ?? []).map { sum in
            let subject = sum.cards.map(String.init).joined(separator: "+")
            let transport = sum.transport.map { ", \($0)" } ?? ""
            if let problem = sum.problem {
                return check.fail(
                    of: subject, problem, needed: "the sum on both cards",
                    remedy: "do not use these cards together; report this with --bundle")
            }
            if let wrong = sum.runs.first(where: { !$0.isRight }) {
                return check.fail(
                    of: subject, "a sum of \(size(wrong)) is wrong\(transport)",
                    needed: "the sum on both cards",
                    remedy: "do not use these cards together: FACET_DIRECT_COPIES=off may help; report this with "
                        + "--bundle")
            }
            let times = sum.runs.map {
                "\(size($0)) in \(FactText.time($0.seconds))"
            }
            let found = "\(times.joined(separator: ", "))\(transport)"
            guard let expected = expectedSeconds(sum, facts), let largest = sum.runs.last,
                largest.seconds > slowdown * expected
            else { return check.ok(of: subject, found) }
            return check.warn(
                of: subject, found, needed: "about \(FactText.time(expected)), from the rate of copies",
                remedy: "other programs may use the cards or their links: try again when they are idle")
        }
    }

    private static func size(_ run: SumFacts.Run) -> String {
        run.byteCount < 1 << 20 ? "\(run.byteCount >> 10) KiB" : "\(run.byteCount >> 20) MiB"
    }

    /// How long the largest sum takes at the rate that copies reached: each card receives half of it twice.
    ///
    /// Nil where that rate is not known, or is that of a simulation.
    private static func expectedSeconds(_ sum: SumFacts, _ facts: Facts) -> Double? {
        guard facts.gpu?.isSimulated != true, let largest = sum.runs.last else { return nil }
        let rates = (facts.gpu?.peers ?? [])
            .filter { Set([$0.from, $0.to]) == Set(sum.cards) }
            .compactMap(\.bytesPerSecond)
        guard let rate = rates.min(), rate > 0 else { return nil }
        return Double(largest.byteCount) / rate
    }
}
