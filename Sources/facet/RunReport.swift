import FacetEngine
import FacetPlacement
import FacetPlanReport

/// What `facet run --json` prints; durations in seconds.
struct RunReport: Encodable {
    struct TimingReport: Encodable {
        let load: Double
        let image: Double?
        let prefill: Double
        let timeToFirstToken: Double?
        let perToken: Double?
        let tokensPerSecond: Double?
    }

    let text: String
    let tokenIds: [Int32]
    let finishReason: String
    let promptTokenCount: Int
    let imageTokenCount: Int
    let reusedTokenCount: Int
    let model: String
    let dtype: String
    let seed: UInt64
    let timings: TimingReport
    let peakMemoryBytes: Int?
    let devices: [DeviceUseReport]
    let placement: [String: String]
    let plan: PlanReport?
    let cards: [CardReport]?
    let warnings: [String]

    init(
        _ completion: Completion, model: String, dtype: String, load: Duration, devices: [FacetEngine.DeviceReport],
        placement: Placement, plan: PlanReport?, cards: [CardReport], warnings: [PromptWarning]
    ) {
        text = completion.text
        tokenIds = completion.tokenIDs
        finishReason = completion.reason.rawValue
        promptTokenCount = completion.usage.promptTokenCount
        imageTokenCount = completion.usage.imageTokenCount
        reusedTokenCount = completion.usage.reusedRowCount
        self.model = model
        self.dtype = dtype
        seed = completion.seed
        let perToken = completion.timings.perToken.map(\.seconds)
        timings = TimingReport(
            load: load.seconds, image: completion.timings.image?.seconds, prefill: completion.timings.prefill.seconds,
            timeToFirstToken: completion.timings.timeToFirstToken?.seconds, perToken: perToken,
            tokensPerSecond: perToken.map { 1 / $0 })
        peakMemoryBytes = PeakMemory.byteCount
        self.devices = devices.map { DeviceUseReport($0) }
        self.placement = PlacementReport.units(placement)
        self.plan = plan
        self.cards = cards.isEmpty ? nil : cards
        self.warnings = warnings.map(\.description)
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { self / .seconds(1) }
}
