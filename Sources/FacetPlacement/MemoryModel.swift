/// What a memory model is computed from.
public struct MemoryInputs: Sendable, Hashable {
    /// The model.
    public var model: ModelDescription
    /// How its weights are stored.
    public var precision: PrecisionChoice
    /// What it shall do at once.
    public var workload: Workload
    /// Which units are streamed.
    public var streaming: Streaming

    /// Names the inputs.
    public init(
        model: ModelDescription, precision: PrecisionChoice, workload: Workload, streaming: Streaming = .none
    ) {
        self.model = model
        self.precision = precision
        self.workload = workload
        self.streaming = streaming
    }
}

/// A way to say what units need in memory: published formulas, a test's, or what the engine allocates.
///
/// Every function is monotone: more kinds of units on a device never need less. Planning relies on it.
public protocol MemoryModel: Sendable {
    /// Bytes of keys and values that one decoder layer keeps.
    func cachePerLayer(_ inputs: MemoryInputs) -> Int
    /// Bytes that live from loading to the end besides weights and cache: tables, picture features, integers.
    func tables(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int
    /// Bytes of the largest live set of any phase that a device with these units takes part in.
    func activations(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int
    /// Bytes of logits, when the activations do not count them.
    func logits(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int
    /// Bytes of staging buffers for streamed units.
    func streamBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int
    /// Bytes of staging buffers for hops, when more than one device takes part.
    func hopBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int
}

extension MemoryModel {
    /// Twice the largest streamed unit: one is copied while the other is computed.
    public func streamBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let streamed = UnitKind.allCases.filter { kinds.contains($0) && inputs.streaming.kinds.contains($0) }
        return 2 * (streamed.map { inputs.model.byteCount($0, inputs.precision) }.max() ?? 0)
    }
}

/// The terms of one device's memory, in bytes.
public struct MemoryTerms: Sendable, Hashable {
    /// Resident weights.
    public var weights = 0
    /// Keys and values.
    public var cache = 0
    /// Tables, picture features and integers.
    public var tables = 0
    /// The largest live set of a phase.
    public var activations = 0
    /// Logits.
    public var logits = 0
    /// Buffers for streamed units and hops.
    public var staging = 0
    /// The driver's context, kernels and library workspaces.
    public var context = 0
    /// What other processes use.
    public var others = 0
    /// What is kept free on purpose.
    public var margin = 0

    /// Makes terms of nothing.
    public init() {}

    /// The terms with their names, in the order of reports.
    public var named: [(name: String, byteCount: Int)] {
        [
            ("weights", weights), ("key/value cache", cache), ("tables", tables), ("activations", activations),
            ("logits", logits), ("staging", staging), ("context", context), ("others", others), ("margin", margin),
        ]
    }

    /// The sum: what the device needs.
    public var total: Int { named.reduce(0) { $0 + $1.byteCount } }

    /// The sum without what other processes use and what is kept free: what this program allocates.
    public var allocated: Int { total - others - margin }
}

/// A memory model evaluated for one set of inputs: each device's need in a few additions.
public struct MemoryTable: Sendable {
    /// Resident bytes of one unit's weights.
    public let weights: PerKind<Int>
    /// Bytes of one decoder layer's cache.
    public let cachePerLayer: Int
    private let tables: [Int]  // each of these by the raw value of the kinds
    private let activations: [Int]
    private let logits: [Int]
    private let streamBuffers: [Int]
    private let hopBuffers: [Int]

    /// Evaluates a model.
    public init(_ memory: any MemoryModel, _ inputs: MemoryInputs) {
        weights = PerKind { kind in
            inputs.streaming.kinds.contains(kind) ? 0 : inputs.model.byteCount(kind, inputs.precision)
        }
        cachePerLayer = memory.cachePerLayer(inputs)
        let sets = (0..<UnitKinds.count).map { UnitKinds(rawValue: UInt8($0)) }
        tables = sets.map { memory.tables($0, inputs) }
        activations = sets.map { memory.activations($0, inputs) }
        logits = sets.map { memory.logits($0, inputs) }
        streamBuffers = sets.map { memory.streamBuffers($0, inputs) }
        hopBuffers = sets.map { memory.hopBuffers($0, inputs) }
    }

    /// The terms that do not depend on the device.
    ///
    /// - Parameters:
    ///   - kinds: which kinds of units the device holds.
    ///   - visionLayers: how many vision layers.
    ///   - decoderLayers: how many decoder layers.
    ///   - hops: whether other devices take part.
    public func terms(_ kinds: UnitKinds, visionLayers: Int, decoderLayers: Int, hops: Bool) -> MemoryTerms {
        var terms = MemoryTerms()
        let set = Int(kinds.rawValue)
        for kind in UnitKind.allCases where kinds.contains(kind) && !kind.isLayer { terms.weights += weights[kind] }
        terms.weights += visionLayers * weights[.visionLayer] + decoderLayers * weights[.decoderLayer]
        terms.cache = decoderLayers * cachePerLayer
        terms.tables = tables[set]
        terms.activations = activations[set]
        terms.logits = logits[set]
        terms.staging = streamBuffers[set] + (hops ? hopBuffers[set] : 0)
        return terms
    }
}
