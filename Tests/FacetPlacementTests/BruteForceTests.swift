import FacetPlacement
import Testing

/// The planner against trying every placement, on machines small enough for that.
@Suite("Planner against brute force")
struct BruteForceTests {
    /// Random requests per objective and number of devices.
    static let rounds = 25

    @Test("finds what trying every placement finds", arguments: Objective.allCases, 1...3)
    func optimum(_ objective: Objective, _ devices: Int) throws {
        var random = SeededGenerator(seed: UInt64(devices))
        var found = 0
        for round in 0..<Self.rounds {
            let request = smallRequest(&random, devices: devices, objective: objective)
            let best = try bruteForce(request)
            guard let plan = try? Planner.plan(request) else {
                #expect(best == nil, "round \(round) was refused")
                continue
            }
            found += 1
            let value = try #require(best, "round \(round): a plan that does not fit")
            try expectSound(plan)
            #expect(plan.isProvedBest, "round \(round)")
            if objective == .context {
                #expect(plan.value == value, "round \(round)")
            } else {
                // The search rounds to nanoseconds and to fractions of 10⁻¹⁰.
                #expect(plan.value <= value + 2e-8, "round \(round): \(plan.value) against \(value)")
                #expect(plan.value >= value - 1e-12, "round \(round): \(plan.value) against \(value)")
            }
        }
        #expect(found > Self.rounds / 5)
    }

    @Test("a refusal's deficits are the smallest", arguments: 1...3)
    func deficits(_ devices: Int) throws {
        var random = SeededGenerator(seed: 77)
        var refused = 0
        for round in 0..<60 {
            var request = smallRequest(&random, devices: devices, objective: .balanced)
            for device in request.machine.devices.indices { request.machine.devices[device].totalBytes /= 2 }
            for device in request.machine.devices.indices {
                request.machine.devices[device].freeBytes = request.machine.devices[device].totalBytes
            }
            let placements = allPlacements(request)
            let (plan, refusal) = outcome(request)
            if let plan { #expect(fits(plan.placement, request), "round \(round)") }
            if let refusal {
                refused += 1
                #expect(!placements.contains { fits($0, request) }, "round \(round)")
                let least = placements.map { placement in
                    request.devicePlans(for: placement).filter(\.isUsed).map { max(0, -$0.headroom) }.max() ?? 0
                }.min()
                #expect(refusal.deficitPerDevice == least, "round \(round)")
                #expect(refusal.deficitOfOne?.byteCount == deficitOfOne(placements, request), "round \(round)")
            }
        }
        #expect(refused > 10)
    }

    /// The fewest bytes that one device lacks in a placement where no other lacks any.
    private func deficitOfOne(_ placements: [Placement], _ request: PlanRequest) -> Int? {
        placements.compactMap { placement in
            let lacking = request.devicePlans(for: placement).filter { $0.isUsed && $0.headroom < 0 }
            return lacking.count == 1 ? -lacking[0].headroom : nil
        }.min()
    }

    /// The best value of any placement that fits; nil when none does.
    private func bruteForce(_ request: PlanRequest) throws -> Double? {
        let placements = allPlacements(request)
        if request.objective == .context { return largestContext(request, placements) }
        return try placements.filter { fits($0, request) }.map { try Planner.evaluate($0, for: request).value }.min()
    }

    private func largestContext(_ request: PlanRequest, _ placements: [Placement]) -> Double? {
        var request = request
        let prompt = request.workload.promptTokens(request.model)
        func fitsAny(_ count: Int) -> Bool {
            request.workload.newTokens = count
            return placements.contains { fits($0, request) }
        }
        guard fitsAny(0) else { return nil }
        var (low, high) = (0, request.model.tokenLimit - prompt + 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if fitsAny(middle) { low = middle } else { high = middle }
        }
        return Double(prompt + low)
    }
}
