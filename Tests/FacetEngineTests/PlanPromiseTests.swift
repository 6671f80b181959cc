import FacetCheckpoint
import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

/// What the planner promises, kept by the engine: a plan that fits runs within every budget, a refusal lacks what it says.
@Suite("Plans kept by the engine", .serialized, .timeLimit(.minutes(15)))
struct PlanPromiseTests {
    private static let pairCount = 1_000

    /// What became of all pairs.
    private struct Tally {
        var ran = 0
        var streamed = 0
        var refused = 0
        var worstExcess = 0.0
    }

    private let configuration: GLM4VConfiguration
    private let checkpoint: Checkpoint
    private let weights: [UnitName: UnitWeightSize]

    init() throws {
        let files = ModelFiles(folder: TinyModel.folder.path)
        configuration = try GLM4VConfiguration(parsing: files.bytes(of: GLM4VConfiguration.fileName))
        checkpoint = try files.checkpoint()
        weights = try ModelInventory(configuration).weightSizes(in: checkpoint)
    }

    @Test("1,000 random machines and workloads: what fits runs as predicted, what is refused lacks what is said")
    func promises() throws {
        var random = SplitMix64(seed: 2026)
        var tally = Tally()
        for pair in 0..<Self.pairCount {
            let (request, limits, dtype) = try request(&random)
            do throws(PlacementError) {
                let plan = try Planner.plan(request)
                tally.ran += 1
                try run(plan, limits, dtype, pair, &tally)
            } catch {
                guard case .doesNotFit(let refusal) = error else { throw error }
                tally.refused += 1
                try check(refusal, of: request, pair)
            }
        }
        print(
            "plans that ran: \(tally.ran), of them \(tally.streamed) with streamed units; refusals: \(tally.refused); "
                + "worst difference of a peak from its prediction: \(tally.worstExcess * 100) %")
        #expect(tally.ran >= 300 && tally.refused >= 100 && tally.streamed >= 50)
    }

    /// One to four devices whose memory together is somewhere around what the model takes.
    private func request(_ random: inout SplitMix64) throws -> (PlanRequest, ModelLimits, DType) {
        let dtype: DType = Bool.random(using: &random) ? .float32 : .bfloat16
        let sequences = Int.random(in: 1...3, using: &random)
        let limits = ModelLimits(
            maxRows: Int.random(in: sequences...128, using: &random), maxSequences: sequences,
            pageSize: [8, 16, 32].randomElement(using: &random) ?? 16,
            pageCount: Int.random(in: 8...64, using: &random),
            maxImages: Int.random(in: 1...3, using: &random), visionTileRows: Int.random(in: 8...80, using: &random),
            quantizesCache: Bool.random(using: &random))
        let demand = limits.demands(
            of: .single(configuration), configuration: configuration, dtype: dtype, weights: weights)
        let need = Double(demand.reduce(0) { $0 + $1.byteCount })
        let count = Int.random(in: 1...4, using: &random)
        let total = need * Double.random(in: 0.4...2.2, using: &random)
        let shares = (0..<count).map { _ in Double.random(in: 0.2...1, using: &random) }
        let all = shares.reduce(0, +)
        let devices = shares.enumerated().map { index, share in
            DeviceProfile(
                name: "cpu:\(index)", kind: .cpu, totalBytes: Int(total * share / all), contextBytes: 0, marginBytes: 0,
                rates: DeviceRates(flops: 1e11, bandwidth: 1e10))
        }
        let objectives: [Objective] = [.balanced, .latency, .throughput, .fewest]
        var request = PlanRequest(
            model: try configuration.modelDescription(), precision: PrecisionChoice(.bfloat16),
            workload: Workload(sequences: sequences, pageSize: limits.pageSize),
            machine: Machine(name: "random", devices: devices, hostFreeBytes: 1 << 34),
            objective: objectives.randomElement(using: &random) ?? .balanced,
            memory: EngineMemory(configuration, dtype: dtype, limits: limits, weights: weights))
        if Int.random(in: 0..<3, using: &random) == 0 {
            request.visionStreaming = Bool.random(using: &random) ? .ifNeeded : .always
            request.streamingSource = Bool.random(using: &random) ? .host : .disk
        }
        return (request, limits, dtype)
    }

    /// Loads the model by the plan within the devices' budgets, does the largest work there is, and compares.
    private func run(
        _ plan: Plan, _ limits: ModelLimits, _ dtype: DType, _ pair: Int, _ tally: inout Tally
    ) throws(PlacementError) {
        do {
            let devices = try plan.devices.map { device in
                try CPUDevice(index: device.index, threadCount: 1, budgetByteCount: max(1, device.budget))
            }
            let model = try GLM4V(
                source: checkpoint, configuration: configuration, dtype: dtype, devices: devices,
                placement: plan.placement)
            let demands = limits.demands(
                of: plan.placement, configuration: configuration, dtype: dtype, weights: weights)
            let runner = try ModelRunner(model, limits: limits, demands: demands)
            try runner.profile(withPicture: true)
            if plan.streamedBytes > 0 { tally.streamed += 1 }
            for report in runner.deviceReports() {
                let planned = plan.devices[report.device.index].terms.allocated
                let peak = report.use?.peakByteCount ?? 0
                let excess = Double(peak - planned) / Double(planned)
                tally.worstExcess = max(tally.worstExcess, abs(excess))
                #expect(abs(excess) <= 0.02, "pair \(pair), \(report.device): \(peak) bytes, \(planned) planned")
            }
        } catch {
            Issue.record("pair \(pair): \(error)")
        }
    }

    /// With the stated deficit on every device there is a plan, with one byte less there is none; so on one device.
    private func check(_ refusal: Refusal, of request: PlanRequest, _ pair: Int) throws(PlacementError) {
        func fits(_ extra: Int, on device: Int?) -> Bool {
            var larger = request
            for index in larger.machine.devices.indices where device == nil || device == index {
                larger.machine.devices[index].totalBytes += extra
                larger.machine.devices[index].freeBytes += extra
            }
            return (try? Planner.plan(larger)) != nil
        }
        #expect(fits(refusal.deficitPerDevice, on: nil), "pair \(pair): the deficit is too small")
        #expect(!fits(refusal.deficitPerDevice - 1, on: nil), "pair \(pair): the deficit is too large")
        guard let one = refusal.deficitOfOne else { return }
        #expect(fits(one.byteCount, on: one.device), "pair \(pair): the deficit of one device is too small")
        #expect(!fits(one.byteCount - 1, on: one.device), "pair \(pair): the deficit of one device is too large")
    }
}
