/// A plan in the words and numbers that people and programs read: what tables, pictures and JSON are made from.
///
/// It holds no rule of its own; the planner's results are copied in, with names beside the numbers. Encoded with keys
/// in snake case it is the object of `facet plan --json`, which `docs/plan-json.md` documents.
public struct PlanReport: Sendable, Hashable, Encodable {
    /// The version of the encoded form.
    public static let schemaName = "facet-plan/1"

    /// Always `PlanReport.schemaName`.
    public let schema = PlanReport.schemaName

    /// Always true: what does not fit is a `RefusalReport`.
    public let fits = true

    /// The model's name.
    public var model: String

    /// The dtype of the weights, per part where they differ.
    public var precision: String

    /// What the plan is made for.
    public var workload: WorkloadReport

    /// What was optimized.
    public var objective: String

    /// How the devices were to be filled.
    public var policy: String

    /// The machine's name or where its description came from.
    public var machine: String

    /// Every device, used or not, in order.
    public var devices: [DeviceReport]

    /// Copies between devices, in the order of execution.
    public var hops: [HopReport]

    /// Times and rates.
    public var prediction: PredictionReport

    /// What the objective reached, and what no plan can go below.
    public var bound: BoundReport

    /// Why the next best plans lost.
    public var alternatives: [String]

    /// What would change the answer.
    public var changes: [String]

    /// What a person should know: caps, nominal rates, devices that are not used.
    public var notes: [String]

    /// Other ways to use the same devices, priced.
    public var options: [OptionReport]

    /// Bytes per token, picture and sequence, and the formulas' values.
    public var explanations: [ExplanationReport]

    /// The placement as a device map: module names to devices.
    public var deviceMap: [String: String]

    /// Fills a report.
    public init(
        model: String, precision: String, workload: WorkloadReport, objective: String, policy: String,
        machine: String, devices: [DeviceReport], hops: [HopReport], prediction: PredictionReport,
        bound: BoundReport, alternatives: [String] = [], changes: [String] = [], notes: [String] = [],
        options: [OptionReport] = [], explanations: [ExplanationReport] = [], deviceMap: [String: String] = [:]
    ) {
        self.model = model
        self.precision = precision
        self.workload = workload
        self.objective = objective
        self.policy = policy
        self.machine = machine
        self.devices = devices
        self.hops = hops
        self.prediction = prediction
        self.bound = bound
        self.alternatives = alternatives
        self.changes = changes
        self.notes = notes
        self.options = options
        self.explanations = explanations
        self.deviceMap = deviceMap
    }

    private enum CodingKeys: CodingKey {
        case schema, fits, model, precision, workload, objective, policy, machine, devices, hops, prediction, bound
        case alternatives, changes, notes, options, explanations, deviceMap
    }
}

/// What a plan is made for.
public struct WorkloadReport: Sendable, Hashable, Encodable {
    /// Sequences at the same time.
    public var sequences: Int
    /// Pictures of each.
    public var imagesPerSequence: Int
    /// Text tokens of each prompt.
    public var textTokens: Int
    /// Tokens that each answer may have.
    public var newTokens: Int
    /// Rows of the cache that each sequence takes, pictures included.
    public var capacityTokens: Int
    /// Tokens of one prefill step.
    public var chunkTokens: Int
    /// How attention is computed: `fused` or `materialized`.
    public var attention: String

    /// Describes a workload.
    public init(
        sequences: Int, imagesPerSequence: Int, textTokens: Int, newTokens: Int, capacityTokens: Int,
        chunkTokens: Int, attention: String
    ) {
        self.sequences = sequences
        self.imagesPerSequence = imagesPerSequence
        self.textTokens = textTokens
        self.newTokens = newTokens
        self.capacityTokens = capacityTokens
        self.chunkTokens = chunkTokens
        self.attention = attention
    }
}

/// Times and rates that the plan promises.
public struct PredictionReport: Sendable, Hashable, Encodable {
    /// Seconds from the question to the first token, the picture included.
    public var firstTokenSeconds: Double
    /// Seconds of one decode step.
    public var stepSeconds: Double
    /// Tokens per second of all sequences together.
    public var tokensPerSecond: Double
    /// `measured` or `nominal`: where the devices' rates come from.
    public var rates: String

    /// States a prediction.
    public init(firstTokenSeconds: Double, stepSeconds: Double, tokensPerSecond: Double, rates: String) {
        self.firstTokenSeconds = firstTokenSeconds
        self.stepSeconds = stepSeconds
        self.tokensPerSecond = tokensPerSecond
        self.rates = rates
    }
}

/// What an objective reached, and its limit.
public struct BoundReport: Sendable, Hashable, Encodable {
    /// What is measured, such as `largest share of a budget`.
    public var quantity: String
    /// What the plan reaches.
    public var value: Double
    /// What no plan can beat; nil when no plan was searched for.
    public var bound: Double?
    /// The unit of both; empty for a share.
    public var unit: String

    /// States a bound.
    public init(quantity: String, value: Double, bound: Double?, unit: String) {
        self.quantity = quantity
        self.value = value
        self.bound = bound
        self.unit = unit
    }
}

/// Another way to use the devices.
public struct OptionReport: Sendable, Hashable, Encodable {
    /// What it is, such as `tensor parallel over 2`.
    public var name: String
    /// The dtype of the weights.
    public var precision: String
    /// Seconds to the first token.
    public var firstTokenSeconds: Double
    /// Seconds per token of one sequence alone.
    public var tokenSeconds: Double
    /// Tokens per second with everything in flight.
    public var tokensPerSecond: Double
    /// Sequences of the workload's kind that fit.
    public var sequenceCapacity: Int
    /// Whether this version can run it.
    public var isExecutable: Bool

    /// Prices an option.
    public init(
        name: String, precision: String, firstTokenSeconds: Double, tokenSeconds: Double, tokensPerSecond: Double,
        sequenceCapacity: Int, isExecutable: Bool
    ) {
        self.name = name
        self.precision = precision
        self.firstTokenSeconds = firstTokenSeconds
        self.tokenSeconds = tokenSeconds
        self.tokensPerSecond = tokensPerSecond
        self.sequenceCapacity = sequenceCapacity
        self.isExecutable = isExecutable
    }
}

/// One value of the memory or cost model, with its formula.
public struct ExplanationReport: Sendable, Hashable, Encodable {
    /// What it is, such as `key/value cache per token`.
    public var name: String
    /// Its value, as text with a unit.
    public var value: String
    /// How it is computed.
    public var formula: String

    /// States a value.
    public init(name: String, value: String, formula: String) {
        self.name = name
        self.value = value
        self.formula = formula
    }
}
