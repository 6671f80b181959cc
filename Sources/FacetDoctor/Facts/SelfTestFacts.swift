/// What small computations with known results gave.
public struct SelfTestFacts: Sendable, Hashable, Codable {
    /// An operation against its reference in double precision.
    public struct Operation: Sendable, Hashable, Codable {
        /// What was computed, such as `product bfloat16`.
        public var name: String
        /// On which device, with the instruction set, such as `cpu avx2`.
        public var device: String
        /// The largest error relative to the size of what was summed; nil when it did not run or gave no number.
        public var error: Double?
        /// The largest error that rounding explains.
        public var tolerance: Double
        /// Why it did not run.
        public var problem: String?

        /// States a result.
        public init(name: String, device: String, error: Double?, tolerance: Double, problem: String? = nil) {
            self.name = name
            self.device = device
            self.error = error
            self.tolerance = tolerance
            self.problem = problem
        }
    }

    /// A picture through a whole model.
    public struct Picture: Sendable, Hashable, Codable {
        /// What was asked.
        public var question: String
        /// The word that the answer must hold.
        public var expected: String
        /// The answer.
        public var answer: String?
        /// Why there is none.
        public var problem: String?

        /// States an answer.
        public init(question: String, expected: String, answer: String?, problem: String? = nil) {
            self.question = question
            self.expected = expected
            self.answer = answer
            self.problem = problem
        }
    }

    /// Products and attention.
    public var operations: [Operation]?
    /// The embedded model about a synthetic picture.
    public var picture: Picture?

    /// Nothing known yet.
    public init() {}
}
