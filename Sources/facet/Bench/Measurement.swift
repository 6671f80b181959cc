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
}
