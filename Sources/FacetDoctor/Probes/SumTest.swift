import FacetTensor

/// Two cards that add their numbers up, as tensor parallelism does after every product: each sends the other one half,
/// adds what it receives to the half that it keeps, and gives the sum of that half back.
struct SumTest {
    /// Bytes of each card's numbers.
    static let sizes = [8 << 10, 16 << 20]
    private static let repeats = 3

    private let cards: [Int]
    private let pair: ReadyCards

    /// - Parameters:
    ///   - cards: their places in the list of cards.
    ///   - pair: the two of them.
    init(_ cards: [Int], _ pair: ReadyCards) {
        self.cards = cards
        self.pair = pair
    }

    func run() -> SumFacts {
        var facts = SumFacts(cards: cards, transport: pair.transport, runs: [])
        do {
            for size in Self.sizes { facts.runs.append(try run(byteCount: size)) }
        } catch { facts.problem = "\(error)" }
        return facts
    }

    private func run(byteCount: Int) throws -> SumFacts.Run {
        let count = byteCount / DType.float32.byteCount
        let sides = try pair.backends.enumerated().map { try Side($1, count: count, number: $0) }
        var best: Duration?
        var isRight = true
        for _ in 0..<Self.repeats {
            for side in sides { try side.fill() }
            let start = ContinuousClock.now
            try Self.add(sides[0], sides[1])
            for side in sides { try side.backend.synchronize() }
            best = min(best ?? .seconds(3600), ContinuousClock.now - start)
            for side in sides where try !side.hasSum() { isRight = false }
        }
        return SumFacts.Run(byteCount: byteCount, seconds: (best ?? .zero) / .seconds(1), isRight: isRight)
    }

    /// Enqueues the sum on both cards.
    private static func add(_ one: Side, _ other: Side) throws {
        let filled = (try one.backend.record(), try other.backend.record())
        try one.backend.wait(for: filled.1)
        try other.backend.wait(for: filled.0)
        // The half of its number is that which a card adds up.
        for (side, peer) in [(one, other), (other, one)] {
            try side.backend.copy(peer.halves[side.number], into: side.received)
            try side.backend.add(side.received, to: side.halves[side.number])
        }
        let added = (try one.backend.record(), try other.backend.record())
        try one.backend.wait(for: added.1)
        try other.backend.wait(for: added.0)
        for (side, peer) in [(one, other), (other, one)] {
            try side.backend.copy(peer.halves[peer.number], into: side.halves[peer.number])
        }
    }

    /// One card's numbers: integers of 16 bits, whose sums floating point holds exactly.
    private struct Side {
        let backend: any Backend
        let number: Int
        let halves: [Tensor]
        let received: Tensor
        private let numbers: Tensor
        private let own: [Float]
        private let sum: [Float]

        init(_ backend: any Backend, count: Int, number: Int) throws {
            self.backend = backend
            self.number = number
            numbers = try backend.allocate([2, count / 2], .float32, label: "sum of two cards")
            received = try backend.allocate([1, count / 2], .float32, label: "sum of two cards")
            halves = [numbers.rows(0..<1), numbers.rows(1..<2)]
            let both = (0..<2).map { card in (0..<count).map { Float(($0 &* 40_503 &+ card &* 977) & 0xFFFF) } }
            own = both[number]
            sum = zip(both[0], both[1]).map(+)
        }

        func fill() throws {
            try own.withUnsafeBytes { bytes in try backend.upload(bytes, into: numbers) }
            try backend.synchronize()
        }

        func hasSum() throws -> Bool {
            var found = [Float](repeating: 0, count: sum.count)
            try found.withUnsafeMutableBytes { bytes in try backend.download(numbers, into: bytes) }
            return found == sum
        }
    }
}
