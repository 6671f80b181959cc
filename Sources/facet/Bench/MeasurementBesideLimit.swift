/// Times of work, each with what the machine could do at best right before and right after it.
///
/// A shared machine changes its speed within seconds: a limit that was measured earlier, or is the best of many, may not be
/// that of the moment in which the work ran.
struct MeasurementBesideLimit {
    /// Seconds of each run, in order.
    private(set) var seconds: [Double] = []

    /// The limit around each run: the mean of both samples.
    private var limits: [Double] = []

    private let sample: (() -> Double)?
    private var lastLimit = 0.0

    /// - Parameter sample: measures the limit for some milliseconds; nil to take times alone.
    init(sample: (() -> Double)?) { self.sample = sample }

    /// The middle of the limits; nil when none was measured.
    var medianLimit: Double? { limits.isEmpty ? nil : limits.sorted()[limits.count / 2] }

    /// How much the limit around a run would have done in the run's time, the middle of all; nil without limits.
    ///
    /// Work divided by it is the fraction of the limit: where the machine has two speeds, the middle of the runs may be of
    /// one and the middle of the limits of the other.
    var medianAmountAtLimit: Double? {
        limits.isEmpty ? nil : zip(seconds, limits).map { $0 * $1 }.sorted()[limits.count / 2]
    }

    /// Runs pieces of work one after the other, each once.
    mutating func run(_ count: Int, _ body: (Int) throws -> Void) rethrows {
        lastLimit = sample?() ?? 0
        for index in 0..<count { try run { try body(index) } }
    }

    /// Runs `body` once to warm up, then until both limits are met.
    ///
    /// - Parameters:
    ///   - duration: the runs and the samples take at least this long together.
    ///   - count: there are at least so many runs.
    mutating func repeating(for duration: Duration, atLeast count: Int = 5, _ body: () throws -> Void) rethrows {
        try body()
        lastLimit = sample?() ?? 0
        let clock = ContinuousClock()
        let start = clock.now
        while seconds.count < count || clock.now - start < duration { try run(body) }
    }

    private mutating func run(_ body: () throws -> Void) rethrows {
        seconds.append(try ContinuousClock().measure(body).seconds)
        guard let limit = sample?() else { return }
        limits.append((lastLimit + limit) / 2)
        lastLimit = limit
    }
}
