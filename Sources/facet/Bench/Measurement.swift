/// Times of one piece of work, repeated: the median, and how far the others lie from it.
struct Measurement: Sendable {
    /// Seconds of each run, ascending.
    let seconds: [Double]

    /// The middle time.
    var median: Double { seconds[seconds.count / 2] }

    /// The shortest time.
    var fastest: Double { seconds[0] }

    /// The longest time.
    var slowest: Double { seconds[seconds.count - 1] }

    /// Runs `body` once to warm up, then until both limits are met.
    ///
    /// - Parameters:
    ///   - duration: the runs take at least this long together.
    ///   - count: there are at least so many.
    static func repeating(for duration: Duration, atLeast count: Int = 5, _ body: () throws -> Void) rethrows
        -> Measurement
    {
        try body()
        let clock = ContinuousClock()
        let start = clock.now
        var seconds: [Double] = []
        while seconds.count < count || clock.now - start < duration {
            let elapsed = try clock.measure(body)
            seconds.append(elapsed / .seconds(1))
        }
        return Measurement(seconds: seconds.sorted())
    }
}
