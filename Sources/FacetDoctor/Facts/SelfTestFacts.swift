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
        /// On which device.
        public var device: String
        /// What was asked.
        public var question: String
        /// The word that the answer must hold.
        public var expected: String
        /// The answer.
        public var answer: String?
        /// Why there is none.
        public var problem: String?

        /// States an answer.
        public init(device: String, question: String, expected: String, answer: String?, problem: String? = nil) {
            self.device = device
            self.question = question
            self.expected = expected
            self.answer = answer
            self.problem = problem
        }
    }

    /// A device that others use, so that nothing was computed on it.
    public struct Untested: Sendable, Hashable, Codable {
        /// Which one.
        public var device: String
        /// What stands in the way.
        public var reason: String

        /// Names a device.
        public init(device: String, reason: String) {
            self.device = device
            self.reason = reason
        }
    }

    /// Products and attention.
    public var operations: [Operation]?
    /// The embedded model about a synthetic picture, on each device.
    public var pictures: [Picture]?
    /// Devices that could not be tested although nothing is wrong with them.
    public var untested: [Untested]?

    /// Nothing known yet.
    public init() {}
}
