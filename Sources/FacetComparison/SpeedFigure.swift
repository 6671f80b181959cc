/// One measured speed of one program: what a line of a peers' file holds.
///
/// Speeds are comparable when work and precision are the same; no figure says which program is ours.
public struct SpeedFigure: Sendable, Hashable, Encodable {
    /// Who did the work, for example `llama.cpp`.
    public var program: String

    /// The program's version, when it is known.
    public var version: String?

    /// What was done.
    public var work: MeasuredWork

    /// How the weights were stored, for example `bfloat16` or `int4`.
    public var precision: String

    /// Threads that computed.
    public var threads: Int

    /// Unit of the speeds, for example `tokens/s`.
    public var unit: String

    /// The middle of the measured speeds.
    public var median: Double

    /// The highest speed.
    public var fastest: Double

    /// The lowest speed.
    public var slowest: Double

    /// What this machine could reach at best, measured beside it; nil when nobody measured.
    public var limit: Double?

    /// The median as a fraction of the limit.
    public var fraction: Double? { limit.flatMap { $0 > 0 ? median / $0 : nil } }

    /// Makes a figure.
    public init(
        program: String, version: String? = nil, work: MeasuredWork, precision: String, threads: Int, unit: String,
        median: Double, fastest: Double, slowest: Double, limit: Double? = nil
    ) {
        self.program = program
        self.version = version
        self.work = work
        self.precision = precision
        self.threads = threads
        self.unit = unit
        self.median = median
        self.fastest = fastest
        self.slowest = slowest
        self.limit = limit
    }

    private enum CodingKeys: CodingKey {
        case program, version, name, size, model, precision, threads, unit, median, fastest, slowest, limit, fraction
    }

    /// Writes the same members that `SpeedFile` reads, and the fraction.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(program, forKey: .program)
        try container.encodeIfPresent(version, forKey: .version)
        try container.encode(work.name, forKey: .name)
        try container.encode(work.size, forKey: .size)
        try container.encodeIfPresent(work.model, forKey: .model)
        try container.encode(precision, forKey: .precision)
        try container.encode(threads, forKey: .threads)
        try container.encode(unit, forKey: .unit)
        try container.encode(median, forKey: .median)
        try container.encode(fastest, forKey: .fastest)
        try container.encode(slowest, forKey: .slowest)
        try container.encodeIfPresent(limit, forKey: .limit)
        try container.encodeIfPresent(fraction, forKey: .fraction)
    }
}

/// What was done while a speed was measured; two programs did the same work when all of it is equal.
public struct MeasuredWork: Sendable, Hashable {
    /// What it is, for example `prefill` or `product: decoder qkv`.
    public var name: String

    /// How much at once, for example `512 tokens` or `512 x 4096 -> 4608`.
    public var size: String

    /// The sizes of the model; nil when `size` says everything.
    public var model: String?

    /// Names a piece of work.
    public init(name: String, size: String, model: String? = nil) {
        self.name = name
        self.size = size
        self.model = model
    }
}
