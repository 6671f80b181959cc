public import FacetPlacement

/// What one device holds, and how its memory is spent.
public struct DeviceReport: Sendable, Hashable, Encodable {
    /// The device's name, such as `cuda:0`.
    public var name: String
    /// What it is, such as `RTX 4090`.
    public var card: String
    /// Bytes of its memory.
    public var totalByteCount: Int
    /// Bytes that the plan may use.
    public var budgetByteCount: Int
    /// What the plan uses them for, in the order of the stack; terms of no bytes are left out.
    public var terms: [TermReport]
    /// The vision units that it computes; nil for none.
    public var vision: RunReport?
    /// The decoder units that it computes; nil for none.
    public var decoder: RunReport?
    /// Seconds of its part of a decode step.
    public var stepSeconds: Double
    /// Whether the budget covers memory that cannot be shared with others, as a card's can.
    public var isProcessor: Bool

    /// Bytes that the plan needs.
    public var neededByteCount: Int { terms.reduce(0) { $0 + $1.byteCount } }

    /// Bytes of the budget that stay free.
    public var headroomByteCount: Int { budgetByteCount - neededByteCount }

    /// Whether the device computes anything.
    public var isUsed: Bool { vision != nil || decoder != nil }

    /// Describes a device.
    public init(
        name: String, card: String, totalByteCount: Int, budgetByteCount: Int, terms: [TermReport],
        vision: RunReport?, decoder: RunReport?, stepSeconds: Double = 0, isProcessor: Bool = false
    ) {
        self.name = name
        self.card = card
        self.totalByteCount = totalByteCount
        self.budgetByteCount = budgetByteCount
        self.terms = terms.filter { $0.byteCount > 0 }
        self.vision = vision
        self.decoder = decoder
        self.stepSeconds = stepSeconds
        self.isProcessor = isProcessor
    }

    private enum CodingKeys: CodingKey {
        case name, card, totalBytes, budgetBytes, neededBytes, headroomBytes, terms, vision, decoder, stepSeconds
    }

    /// Encodes the stored values, and the two that follow from them.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(card, forKey: .card)
        try container.encode(totalByteCount, forKey: .totalBytes)
        try container.encode(budgetByteCount, forKey: .budgetBytes)
        try container.encode(neededByteCount, forKey: .neededBytes)
        try container.encode(headroomByteCount, forKey: .headroomBytes)
        try container.encode(terms, forKey: .terms)
        try container.encodeIfPresent(vision, forKey: .vision)
        try container.encodeIfPresent(decoder, forKey: .decoder)
        try container.encode(stepSeconds, forKey: .stepSeconds)
    }
}

/// One use of a device's memory.
public struct TermReport: Sendable, Hashable, Encodable {
    /// What the memory is for.
    public enum Kind: String, Sendable, Hashable, CaseIterable, Encodable {
        case visionWeights = "vision weights"
        case decoderWeights = "decoder weights"
        case cache = "key/value cache"
        case tables
        case activations
        case logits
        case staging
        case context
        case margin

        /// A heading of few letters.
        public var heading: String {
            switch self {
            case .visionWeights: "vision"
            case .decoderWeights: "decoder"
            case .cache: "KV"
            case .activations: "activations"
            default: rawValue
            }
        }

        /// The letter that stands for it where there is no color.
        public var letter: Character {
            switch self {
            case .visionWeights: "V"
            case .decoderWeights: "D"
            case .cache: "K"
            case .tables: "T"
            case .activations: "A"
            case .logits: "L"
            case .staging: "S"
            case .context: "C"
            case .margin: "m"
            }
        }
    }

    /// What the memory is for.
    public var kind: Kind
    /// How much it is.
    public var byteCount: Int

    /// States a use.
    public init(_ kind: Kind, _ byteCount: Int) {
        self.kind = kind
        self.byteCount = byteCount
    }

    private enum CodingKeys: String, CodingKey {
        case kind
        case byteCount = "bytes"
    }
}

/// The units of one chain that a device computes.
public struct RunReport: Sendable, Hashable, Encodable {
    /// The units' names, in order.
    public var units: [String]
    /// The run in few words, such as `embedding, layers 0–9`.
    public var text: String
    /// How many of the units' weights stay on the device; the others are streamed.
    public var residentCount: Int
    /// The place of the first unit in its chain.
    public var firstIndex: Int

    /// Describes the units at these places of a chain; nil when there are none.
    ///
    /// - Parameters:
    ///   - places: ascending places in the chain.
    ///   - chain: the names of all units of the chain.
    ///   - isResident: whether the weights of a place stay on the device.
    public init?(_ places: [Int], of chain: [UnitName], isResident: (Int) -> Bool) {
        guard let first = places.first else { return nil }
        units = places.map { chain[$0].description }
        firstIndex = first
        residentCount = places.filter(isResident).count
        let streamed = places.count - residentCount
        let suffix = streamed == 0 ? "" : streamed == places.count ? " (streamed)" : " (\(streamed) streamed)"
        text = (places.count == chain.count ? "all" : Self.text(places.map { chain[$0] })) + suffix
    }

    /// Neighboring layers as ranges, other units by name.
    private static func text(_ units: [UnitName]) -> String {
        var parts: [String] = []
        var layers: [Int] = []
        func flush() {
            guard let first = layers.first, let last = layers.last else { return }
            parts.append(first == last ? "layer \(first)" : "layers \(first)–\(last)")
            layers = []
        }
        for unit in units {
            switch unit {
            case .visionLayer(let index), .decoderLayer(let index):
                if let last = layers.last, last + 1 != index { flush() }
                layers.append(index)
            default:
                flush()
                parts.append(name(unit))
            }
        }
        flush()
        return parts.joined(separator: ", ")
    }

    private static func name(_ unit: UnitName) -> String {
        switch unit {
        case .patchEmbedding: "patches"
        case .projector: "projector"
        case .tokenEmbedding: "embedding"
        case .finalNorm: "norm"
        case .outputLayer: "output"
        case .visionLayer, .decoderLayer: unit.description
        }
    }
}

/// A copy from one device to another.
public struct HopReport: Sendable, Hashable, Encodable {
    /// Which chain crosses.
    public enum Kind: String, Sendable, Hashable, Encodable {
        case vision
        case splice
        case decoder
    }

    /// Which chain crosses; `splice` is a picture's rows on their way into the prompt.
    public var kind: Kind
    /// The device that sends, by its place in the list.
    public var source: Int
    /// The device that receives.
    public var target: Int
    /// The unit that comes next.
    public var unit: String
    /// Bytes of one copy: of a picture, or of a decode step of all sequences.
    public var byteCount: Int
    /// How long one copy takes.
    public var seconds: Double

    /// Describes a copy.
    public init(kind: Kind, source: Int, target: Int, unit: String, byteCount: Int, seconds: Double) {
        self.kind = kind
        self.source = source
        self.target = target
        self.unit = unit
        self.byteCount = byteCount
        self.seconds = seconds
    }

    private enum CodingKeys: String, CodingKey {
        case kind, source, target, unit, seconds
        case byteCount = "bytes"
    }
}

/// Why nothing fits, and what would help.
public struct RefusalReport: Sendable, Hashable, Encodable {
    /// A change that would help.
    public struct Remedy: Sendable, Hashable, Encodable {
        /// What to change, with the option that does it.
        public var change: String
        /// Bytes that are then still missing on the fullest device; 0 when it fits.
        public var deficitBytes: Int
        /// What it costs.
        public var cost: String

        /// Describes a remedy.
        public init(change: String, deficitBytes: Int, cost: String) {
            self.change = change
            self.deficitBytes = deficitBytes
            self.cost = cost
        }
    }

    /// Always `PlanReport.schemaName`.
    public let schema = PlanReport.schemaName
    /// Always false.
    public let fits = false
    /// The planner's sentence.
    public var reason: String
    /// The least that is missing, over all plans, on the device that lacks most.
    public var deficitBytes: Int
    /// In the order in which to try them.
    public var remedies: [Remedy]

    /// States a refusal.
    public init(reason: String, deficitBytes: Int, remedies: [Remedy]) {
        self.reason = reason
        self.deficitBytes = deficitBytes
        self.remedies = remedies
    }

    private enum CodingKeys: CodingKey {
        case schema, fits, reason, deficitBytes, remedies
    }
}
