/// Everything that the checks look at, as plain values: the checks are pure functions of it.
///
/// Nil means "could not be read" throughout, which is never the same as "none". The form is JSON with keys in snake
/// case (`FactsFile`): what one machine wrote, the checks of another can judge.
public struct Facts: Sendable, Hashable, Codable {
    /// The machine without its cards.
    public var host: HostFacts?
    /// This executable.
    public var build: BuildFacts?
    /// The model that was asked about; nil when none was.
    public var model: ModelFacts?
    /// What the small computations gave.
    public var selfTest: SelfTestFacts?
    /// The NVIDIA driver as the system shows it, without the driver's own libraries.
    public var driver: DriverFacts?
    /// Variables of the environment that choose cards.
    public var environment: EnvironmentFacts?
    /// What the driver's libraries tell; nil when no probe that can ask them is part of this executable.
    public var gpu: GPUFacts?
    /// How each probe ended.
    public var probes: [ProbeFacts] = []

    /// Nothing known yet.
    public init() {}
}

/// How a probe ended.
public struct ProbeFacts: Sendable, Hashable, Codable {
    /// The ways to end.
    public enum Outcome: String, Sendable, Hashable, CaseIterable, Codable {
        case finished
        case failed
        case timedOut = "timed out"
    }

    /// Which probe.
    public var name: String
    /// Which of several devices it was about.
    public var subject: String?
    /// How it ended.
    public var outcome: Outcome
    /// How long it took; its limit when it did not end.
    public var seconds: Double
    /// Why it failed.
    public var reason: String?

    /// Says how a probe ended.
    public init(name: String, of subject: String? = nil, outcome: Outcome, seconds: Double, reason: String? = nil) {
        self.name = name
        self.subject = subject
        self.outcome = outcome
        self.seconds = seconds
        self.reason = reason
    }
}
