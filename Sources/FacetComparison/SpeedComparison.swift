import FacetTerminal

/// Our figures beside those of other programs for the same work.
public struct SpeedComparison: Sendable, Hashable, Encodable {
    /// One figure of ours and what the others reached.
    public struct Row: Sendable, Hashable, Encodable {
        /// Our figure.
        public let ours: SpeedFigure
        /// Figures of other programs for this work at this precision, in the order of `programs`.
        public let peers: [Peer]
    }

    /// Another program's figure.
    public struct Peer: Sendable, Hashable, Encodable {
        /// The figure; the middle one when a program has several.
        public let figure: SpeedFigure
        /// Our median divided by its.
        public let ratio: Double
    }

    /// The other programs, in the order in which they first appear.
    public let programs: [String]

    /// Our figures in order.
    public let rows: [Row]

    /// Figures of others that no row of ours has the work, the precision, the threads or the unit of.
    public let unmatchedCount: Int

    /// Puts figures side by side.
    ///
    /// Work, precision, number of threads and unit must be equal.
    public init(ours: [SpeedFigure], peers: [SpeedFigure]) {
        var programs: [String] = []
        for peer in peers where !programs.contains(peer.program) { programs.append(peer.program) }
        self.programs = programs
        let groups = Dictionary(grouping: peers, by: Key.init)
        rows = ours.map { own in
            let matching = groups[Key(own)] ?? []
            let found = programs.compactMap { program in
                Self.middle(of: matching.filter { $0.program == program })
            }
            return Row(ours: own, peers: found.map { Peer(figure: $0, ratio: own.median / $0.median) })
        }
        let ownKeys = Set(ours.map(Key.init))
        unmatchedCount = peers.count { !ownKeys.contains(Key($0)) }
    }

    /// What must be equal before two speeds may be compared.
    private struct Key: Hashable {
        let work: MeasuredWork
        let precision: String
        let threads: Int
        let unit: String

        init(_ figure: SpeedFigure) {
            work = figure.work
            precision = figure.precision
            threads = figure.threads
            unit = figure.unit
        }
    }

    private static func middle(of figures: [SpeedFigure]) -> SpeedFigure? {
        guard !figures.isEmpty else { return nil }
        return figures.sorted { $0.median < $1.median }[figures.count / 2]
    }
}

extension SpeedComparison {
    /// The comparison as one table for people.
    public var text: String {
        var columns: [(title: String, alignment: TextTable.Alignment)] = [
            ("work", .left), ("size", .left), ("weights", .left), ("ours", .right), ("of limit", .right),
        ]
        for program in programs { columns += [(program, .right), ("ratio", .right)] }
        var table = TextTable(columns)
        for row in rows { table.append(cells(row)) }
        guard unmatchedCount > 0 else { return table.text }
        let noun = unmatchedCount == 1 ? "figure is" : "figures are"
        return table.text
            + "\(unmatchedCount) other \(noun) of other work, precision or threads, and not shown.\n"
    }

    private func cells(_ row: Row) -> [String] {
        let own = row.ours
        let fraction = own.fraction.map { "\(Int((100 * $0).rounded())) %" } ?? "–"
        let speeds = programs.flatMap { program in
            guard let peer = row.peers.first(where: { $0.figure.program == program }) else { return ["–", ""] }
            return [SpeedText.rounded(peer.figure.median), SpeedText.ratio(peer.ratio)]
        }
        return [own.work.name, own.work.size, own.precision, SpeedText.rounded(own.median) + " " + own.unit, fraction]
            + speeds
    }
}

/// Speeds and ratios as a table shows them.
enum SpeedText {
    /// About three digits.
    static func rounded(_ speed: Double) -> String {
        speed >= 99.95 ? "\(Int(speed.rounded()))" : fixed(speed, digits: speed >= 9.995 ? 1 : 2)
    }

    /// A ratio with two digits.
    static func ratio(_ value: Double) -> String {
        value.isFinite && value < 1e6 ? "×" + fixed(value, digits: 2) : "–"
    }

    private static func fixed(_ value: Double, digits: Int) -> String {
        let factor = digits == 1 ? 10.0 : 100.0
        let scaled = Int((value * factor).rounded())
        let tail = "\(scaled % Int(factor))"
        return "\(scaled / Int(factor))." + String(repeating: "0", count: digits - tail.count) + tail
    }
}
