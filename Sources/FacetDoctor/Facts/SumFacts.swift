/// What two cards gave that added their numbers up, so that both have the sum (an all-reduce).
public struct SumFacts: Sendable, Hashable, Codable {
    /// A sum of so many bytes.
    public struct Run: Sendable, Hashable, Codable {
        /// Bytes of each card's numbers.
        public var byteCount: Int
        /// The shortest time of several.
        public var seconds: Double
        /// Whether both cards had the sum, every number of it.
        public var isRight: Bool

        /// States a result.
        public init(byteCount: Int, seconds: Double, isRight: Bool) {
            self.byteCount = byteCount
            self.seconds = seconds
            self.isRight = isRight
        }
    }

    /// The cards, by place in the list of cards.
    public var cards: [Int]
    /// How their bytes get to each other, and why so.
    public var transport: String?
    /// The sums, small ones first.
    public var runs: [Run]
    /// Why there are not all of them.
    public var problem: String?

    /// States what two cards gave.
    public init(cards: [Int], transport: String?, runs: [Run], problem: String? = nil) {
        self.cards = cards
        self.transport = transport
        self.runs = runs
        self.problem = problem
    }
}
