import FacetPlacement
import Testing

/// What is true of every plan and refusal, over seeded random machines and workloads for the published model.
@Suite("Planner properties")
struct PlannerPropertyTests {
    /// Random pairs of a machine and a workload.
    static let rounds = 60

    private func machine(_ random: inout SeededGenerator) throws -> Machine {
        let devices = try (0..<Int.random(in: 1...8, using: &random)).map { _ in
            let card = try #require(KnownCard.all.randomElement(using: &random))
            let total = card.memory << 30
            return card.profile(
                contextBytes: Int.random(in: 200...700, using: &random) << 20,
                freeBytes: total - Int.random(in: 0...(total / 4), using: &random))
        }
        return Machine(name: "random", devices: devices, hostFreeBytes: 64 << 30)
    }

    private func request(_ random: inout SeededGenerator, round: Int) throws -> PlanRequest {
        let workload = Workload(
            sequences: Int.random(in: 1...16, using: &random), imagesPerSequence: Int.random(in: 0...2, using: &random),
            textTokens: Int.random(in: 1...2000, using: &random), newTokens: Int.random(in: 0...2000, using: &random),
            prefillChunk: [nil, 256, 1024][Int.random(in: 0...2, using: &random)],
            attention: Bool.random(using: &random) ? .fused : .materialized,
            visionTileRows: Bool.random(using: &random) ? 512 : nil)
        let policies = StreamingPolicy.allCases
        return PlanRequest(
            model: try .fixture(), precision: PrecisionChoice(.bfloat16), workload: workload,
            machine: try machine(&random), objective: Objective.allCases[round % Objective.allCases.count],
            visionStreaming: policies[Int.random(in: 0...2, using: &random)],
            decoderStreaming: Bool.random(using: &random) ? .never : .ifNeeded)
    }

    @Test("every unit is placed once, nothing is over budget, and the same request gives the same plan")
    func soundness() throws {
        var random = SeededGenerator(seed: 2024)
        var planned = 0
        for round in 0..<Self.rounds {
            let request = try request(&random, round: round)
            guard let plan = outcome(request).plan else { continue }
            planned += 1
            try expectSound(plan)
            #expect(plan.placement == outcome(request).plan?.placement, "round \(round)")
            #expect(plan.isProvedBest || !plan.streaming.kinds.isEmpty, "round \(round), \(request.objective)")
            if let bound = plan.bound, request.objective != .context, plan.streaming.kinds.isEmpty {
                #expect(bound.fluid <= plan.value + bound.resolution, "round \(round), \(request.objective)")
            }
            // Nothing is made resident again in such plans: they are what was searched.
            let isAsSearched = request.visionStreaming == .always && plan.streaming.kinds.isDisjoint(with: .decoder)
            if let bound = plan.bound, request.objective == .balanced, isAsSearched || plan.streaming.kinds.isEmpty {
                #expect(plan.value >= bound.searched - bound.resolution - 1e-9, "round \(round)")
            }
        }
        #expect(planned > Self.rounds / 2)
    }

    @Test("no objective's plan is beaten by another objective's, and one more device never makes it worse")
    func dominance() throws {
        var random = SeededGenerator(seed: 5)
        let objectives: [Objective] = [.balanced, .latency, .throughput, .decode, .fewest]
        for round in 0..<Self.rounds / 2 {
            var request = try request(&random, round: round)
            (request.visionStreaming, request.decoderStreaming) = (.never, .never)
            let plans = objectives.compactMap { objective in
                request.objective = objective
                return outcome(request).plan
            }
            for plan in plans {
                let resolution = max(1e-9, plan.bound?.resolution ?? 0)
                for other in plans {
                    let value = try Planner.evaluate(other.placement, for: plan.request).value
                    #expect(plan.value <= value + resolution, "\(plan.request.objective), \(other.request.objective)")
                }
                guard plan.request.machine.devices.count > 1, plan.request.objective != .balanced else { continue }
                var fewer = plan.request
                fewer.machine.devices.removeLast()
                if let less = outcome(fewer).plan { #expect(plan.value <= less.value + resolution, "round \(round)") }
            }
        }
    }

    @Test("permuting the devices changes neither the value nor a refusal's deficit")
    func permutation() throws {
        var random = SeededGenerator(seed: 7)
        for round in 0..<Self.rounds {
            let request = try request(&random, round: round)
            var shuffled = request
            shuffled.machine.devices.shuffle(using: &random)
            let (one, other) = (outcome(request), outcome(shuffled))
            if let left = one.plan?.value, let right = other.plan?.value {
                #expect(abs(left - right) <= 1e-9 * max(1, left), "round \(round), \(request.objective)")
            } else {
                #expect(one.plan == nil && other.plan == nil, "round \(round)")
            }
            #expect(one.refusal?.deficitPerDevice == other.refusal?.deficitPerDevice, "round \(round)")
        }
    }

    @Test("with its deficit a refused request fits, and with a byte less it does not")
    func deficits() throws {
        var random = SeededGenerator(seed: 11)
        var refused = 0
        for round in 0..<Self.rounds {
            var request = try request(&random, round: round)
            request.objective = .balanced
            request.machine.devices.removeLast(request.machine.devices.count / 2)
            guard let refusal = outcome(request).refusal, refusal.deficitPerDevice < 1 << 50 else { continue }
            refused += 1
            func larger(_ extra: Int) -> PlanRequest {
                var larger = request
                for device in larger.machine.devices.indices {
                    larger.machine.devices[device].marginBytes = request.machine.devices[device].margin
                    larger.machine.devices[device].totalBytes += extra
                    larger.machine.devices[device].freeBytes += extra
                }
                return larger
            }
            #expect(outcome(larger(refusal.deficitPerDevice)).plan != nil, "round \(round)")
            #expect(outcome(larger(refusal.deficitPerDevice - 1)).plan == nil, "round \(round)")
        }
        #expect(refused > 5)
    }
}
