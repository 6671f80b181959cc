import FacetTensor

/// Times of work that reading of memory bounds, each with what reading reached right before and right after it.
struct MeasurementBesideReading {
    /// Seconds of each run, in order.
    private(set) var seconds: [Double] = []

    /// What was read around each run, in bytes/s: the mean of both readings.
    private var readRates: [Double] = []

    private var probe: ReadProbe?
    private var lastRate = 0.0

    /// - Parameter backend: whose threads read; nil to take times alone.
    /// - Throws: `.outOfMemory` where there is no half a gibibyte to read.
    init(_ backend: CPUBackend?) throws(TensorError) {
        if let backend { probe = try ReadProbe(backend) }
    }

    /// The middle of the read rates, in bytes/s; nil when nothing was read.
    var medianReadRate: Double? { readRates.isEmpty ? nil : readRates.sorted()[readRates.count / 2] }

    /// Runs pieces of work one after the other, each once.
    mutating func run(_ count: Int, _ body: (Int) throws -> Void) rethrows {
        lastRate = probe?.sample() ?? 0
        for index in 0..<count { try run { try body(index) } }
    }

    /// Runs `body` once to warm up, then as often as ``Measurement/repeating(for:atLeast:_:)`` does.
    mutating func repeating(for duration: Duration, atLeast count: Int = 5, _ body: () throws -> Void) rethrows {
        try body()
        lastRate = probe?.sample() ?? 0
        let clock = ContinuousClock()
        let start = clock.now
        while seconds.count < count || clock.now - start < duration { try run(body) }
    }

    private mutating func run(_ body: () throws -> Void) rethrows {
        seconds.append(try ContinuousClock().measure(body).seconds)
        guard let rate = probe?.sample() else { return }
        readRates.append((lastRate + rate) / 2)
        lastRate = rate
    }
}
