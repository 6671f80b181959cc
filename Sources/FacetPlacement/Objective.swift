/// What a plan is chosen for, among those that fit.
public enum Objective: String, Sendable, Hashable, CaseIterable {
    /// The fullest device is as empty as it can be.
    case balanced
    /// One request is answered as soon as possible.
    case latency
    /// The busiest device works as little as it can for a round of requests, vision, prompt and answer together.
    case throughput
    /// The slowest decode stage is as fast as it can be.
    case decode
    /// As many tokens as possible fit, then `balanced`.
    case context
    /// As few devices as possible, then `latency`.
    case fewest
}
