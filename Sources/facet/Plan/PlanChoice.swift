import FacetPlacement
import FacetPlanReport

/// A request with the person's pins and permissions in it, ready to be asked.
struct PlanChoice {
    /// What is asked.
    let request: PlanRequest

    private let policy: Policy
    private let isManual: Bool

    /// Puts pins and permissions into a request.
    ///
    /// - Parameters:
    ///   - isManual: whether a device map says where everything goes.
    /// - Throws: `CommandError.invalidOption` for pins that contradict each other.
    init(
        _ request: PlanRequest, _ policy: Policy, places: [PlaceSpec],
        permissions: Set<PlanChoiceArguments.Permission>, isManual: Bool
    ) throws {
        var request = request
        request.allowsCPU = permissions.contains(.cpu)
        if permissions.contains(.streamVision) { request.visionStreaming = .ifNeeded }
        if permissions.contains(.streamDecoder) { request.decoderStreaming = .ifNeeded }
        if permissions.contains(.disk) { request.streamingSource = .disk }
        for place in places { try Self.apply(place, to: &request) }
        self.request = request
        self.policy = policy
        self.isManual = isManual
    }

    /// What the plan was made by, for reports.
    var policyName: String { isManual ? "device map" : policy.rawValue }

    /// The best plan, or the one of a placement.
    func plan(_ placement: Placement?) throws(PlacementError) -> Plan {
        if let placement { return try Planner.evaluate(placement, for: request) }
        let plan = try Planner.plan(request, policy: policy)
        // A policy works with budgets of its own; the report is about those of the request.
        return policy == .auto ? plan : try Planner.evaluate(plan.placement, for: request)
    }

    /// Refuses a person's placement that needs more than a device has.
    ///
    /// - Throws: `CommandError.refused` with the device that lacks most and its terms.
    func check(_ plan: Plan, names: [String], map: String) throws {
        let lacking = plan.devices.filter { $0.isUsed && $0.headroom < 0 }
        guard let worst = lacking.min(by: { $0.headroom < $1.headroom }) else { return }
        let terms = worst.terms.named.filter { $0.byteCount > 0 }.map { "\($0.name) \(ByteSize.text($0.byteCount))" }
        throw CommandError.refused(
            "\(map): \(names[worst.index]) needs \(ByteSize.text(worst.terms.total)) of \(ByteSize.text(worst.budget)) "
                + "and lacks \(ByteSize.text(-worst.headroom)) (\(terms.joined(separator: ", "))); move units to another "
                + "device, or leave the map out and let the planner choose.")
    }

    /// Why the plan lost to no other, and what would change it; a manual map is compared with the planner's choice.
    func explain(_ plan: Plan, names: [String], in report: inout PlanReport) {
        guard !isManual else {
            if let best = try? Planner.plan(request) {
                report.bound.bound = best.bound?.searched
                let automatic = PlanReport.comparison(of: best, with: plan)
                report.alternatives = ["the planner's own choice: \(automatic)"]
            }
            return
        }
        let questions = PlanQuestions(plan, names: names) { request throws(PlacementError) in
            try Planner.plan(request)
        }
        report.alternatives = questions.alternatives()
        report.changes = questions.changes()
        let unused = plan.devices.filter { !$0.isUsed }.map { names[$0.index] }
        if !unused.isEmpty { report.notes.append("not used: \(unused.joined(separator: ", "))") }
    }

    /// Other ways to use the devices, priced: tensor parallel, replicas, weights in fewer bits.
    func options() throws -> [OptionReport] {
        let smaller = [PrecisionChoice(.float8), PrecisionChoice(.int4(group: 64))]
        let table = try ParetoTable(request, precisions: request.precision.vision.isQuantized ? [] : smaller)
        return table.entries.map(OptionReport.init)
    }

    private static func apply(_ place: PlaceSpec, to request: inout PlanRequest) throws {
        let kinds: UnitKinds = place.chain == .vision ? .vision : .decoder
        let streams: Bool
        switch place.mode {
        case .devices(let devices):
            request.pin(kinds, to: Set(devices))
            streams = false
        case .cpu:
            let processors = request.machine.devices.indices.filter { request.machine.devices[$0].kind == .cpu }
            request.pin(kinds, to: Set(processors))
            request.allowsCPU = true
            streams = false
        case .stream(let devices):
            if let devices { request.pin(kinds, to: Set(devices)) }
            streams = true
        case .disk(let devices):
            if let devices { request.pin(kinds, to: Set(devices)) }
            request.streamingSource = .disk
            streams = true
        }
        switch (place.chain, streams) {
        case (.vision, true): request.visionStreaming = .always
        case (.decoder, true): request.decoderStreaming = .always
        case (.vision, false): request.visionStreaming = .never
        case (.decoder, false): request.decoderStreaming = .never
        }
    }
}
