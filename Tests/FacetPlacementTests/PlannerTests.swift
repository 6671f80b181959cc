import FacetPlacement
import Testing

/// What the planner promises besides the optimum.
@Suite("Planner")
struct PlannerTests {
    private func request(
        _ cards: [String], _ objective: Objective = .balanced, workload: Workload = Workload()
    ) throws -> PlanRequest {
        let devices = try cards.map { try #require(KnownCard.named($0)).profile(contextBytes: 512 << 20) }
        return PlanRequest(
            model: try .fixture(), precision: PrecisionChoice(.bfloat16), workload: workload,
            machine: Machine(name: "test", devices: devices, hostFreeBytes: 64 << 30), objective: objective)
    }

    @Test("the model that fits one card of two is put on one by fewest and latency, on both by balanced")
    func fewest() throws {
        for objective in [Objective.fewest, .latency] {
            #expect(try Planner.plan(try request(["A100", "A100"], objective)).usedDevices == [0])
        }
        #expect(try Planner.plan(try request(["A100", "A100"])).usedDevices == [0, 1])
    }

    @Test("a faster card is preferred to one that comes first")
    func fasterCard() throws {
        #expect(try Planner.plan(try request(["A100", "H200"], .latency)).usedDevices == [1])
    }

    @Test("pinned chains stay where they are pinned")
    func pins() throws {
        var request = try request(["RTX 4090", "RTX 4090", "RTX 4090"])
        request.pin(.vision, to: [1])
        request.pin(.decoder, to: [0, 2])
        let plan = try Planner.plan(request)
        #expect(Set(plan.placement.vision.map(\.device)) == [1])
        #expect(Set(plan.placement.decoder.map(\.device)) == [0, 2])
    }

    @Test("a required device is used, or the request is refused")
    func requiredDevices() throws {
        var request = try request(["A100", "A100", "A100"], .fewest)
        request.requiredDevices = [1, 2]
        let plan = try Planner.plan(request)
        #expect(plan.usedDevices == [1, 2])
        try expectSound(plan)
        request.pin(.all, to: [0, 1])
        #expect(throws: PlacementError.self) { try Planner.plan(request) }
    }

    @Test("with eight devices required, all of them are used, for every objective", arguments: Objective.allCases)
    func allRequired(_ objective: Objective) throws {
        var request = try request(Array(repeating: "A100", count: 8), objective)
        request.requiredDevices = Set(0..<8)
        let plan = try Planner.plan(request)
        #expect(plan.usedDevices == Array(0..<8))
        try expectSound(plan)
    }

    @Test("nothing is streamed unless that is allowed")
    func noSilentStreaming() throws {
        var request = try request(["RTX 4090"])
        let refusal = try #require(outcome(request).refusal)
        #expect(refusal.remedies.contains { $0.kind == .streamedVision && $0.fits })
        request.visionStreaming = .ifNeeded
        let plan = try Planner.plan(request)
        try expectSound(plan)
        #expect(plan.placement.decoder.allSatisfy { $0.residency == .resident })
        #expect(plan.placement.vision.contains { $0.residency == .host })
        #expect(plan.streamedBytes > 0)
        #expect(plan.streamedBytes == plan.devices[0].streamedBytes)
        // As many layers as there is room for are kept on the card.
        #expect(plan.placement.vision.contains { $0.residency == .resident })
        #expect(plan.smallestHeadroom < plan.request.model.byteCount(.visionLayer, plan.request.precision))
        request.visionStreaming = .always
        let all = try Planner.plan(request)
        #expect(all.placement.vision.allSatisfy { $0.residency == .host })
        #expect(all.prediction.vision >= plan.prediction.vision)
    }

    @Test("streaming from host memory needs host memory")
    func hostMemory() throws {
        var request = try request(["RTX 4090"])
        request.visionStreaming = .ifNeeded
        let streamed = try Planner.plan(request).streamedBytes
        request.machine.hostFreeBytes = streamed
        #expect(outcome(request).plan != nil)
        request.machine.hostFreeBytes = streamed - 1
        #expect(throws: PlacementError.hostTooSmall(needed: streamed, available: streamed - 1)) {
            try Planner.plan(request)
        }
        request.visionStreaming = .never
        let refusal = try #require(outcome(request).refusal)
        let remedy = try #require(refusal.remedies.first { $0.kind == .streamedVision })
        #expect(!remedy.fits && remedy.hostDeficit == 1 && remedy.deficitPerDevice == 0)
        request.visionStreaming = .ifNeeded
        request.streamingSource = .disk
        #expect(try Planner.plan(request).placement.vision.contains { $0.residency == .disk })
    }

    @Test("decoder layers are streamed last, and only as many as needed")
    func decoderStreaming() throws {
        var request = try request(["RTX 3060"])
        request.visionStreaming = .ifNeeded
        #expect(throws: PlacementError.self) { try Planner.plan(request) }
        request.decoderStreaming = .ifNeeded
        let plan = try Planner.plan(request)
        let streamed = plan.placement.decoder.count { $0.residency == .host }
        #expect((1..<40).contains(streamed))
        #expect(plan.smallestHeadroom >= 0)
        #expect(plan.smallestHeadroom < plan.request.model.byteCount(.decoderLayer, plan.request.precision))
    }

    @Test("a processor computes only when it is allowed to, or alone")
    func processor() throws {
        let processor = DeviceProfile(
            name: "host", kind: .cpu, totalBytes: 64 << 30, contextBytes: 0,
            rates: DeviceRates(flops: 1e12, bandwidth: 5e10))
        var request = try request(["RTX 3060"])
        request.machine.devices.append(processor)
        #expect(throws: PlacementError.self) { try Planner.plan(request) }
        request.allowsCPU = true
        #expect(try Planner.plan(request).usedDevices.contains(1))
        request.machine.devices = [processor]
        request.allowsCPU = false
        #expect(try Planner.plan(request).usedDevices == [0])
    }

    @Test("a refusal names remedies from the cheapest to the dearest, and those that fit do")
    func remedies() throws {
        let workload = Workload(
            sequences: 8, textTokens: 1000, newTokens: 4000, prefillChunk: nil, attention: .materialized,
            visionTileRows: nil)
        let request = try request(["RTX 3090", "RTX 3060"], workload: workload)
        let refusal = try #require(outcome(request).refusal)
        let order = refusal.remedies.map { remedy in
            switch remedy.kind {
            case .smallerChunks: 0
            case .fewerTokens, .fewerSequences: 1
            case .quantizedCache: 2
            case .streamedVision: 3
            case .quantizedWeights: 4
            case .streamedDecoder: 5
            }
        }
        #expect(order == order.sorted())
        #expect(Set(order) == [0, 1, 2, 3, 4, 5])
        for remedy in refusal.remedies where remedy.fits {
            #expect(remedy.timeToFirstToken ?? 0 > 0)
            if case .smallerChunks(let prefill, let tile) = remedy.kind {
                var smaller = request
                smaller.workload.prefillChunk = prefill
                smaller.workload.visionTileRows = tile
                #expect(outcome(smaller).plan != nil)
            }
        }
        #expect("\(PlacementError.doesNotFit(refusal))".contains("lacks"))
    }

    @Test("requests that make no sense are refused by name")
    func invalidRequests() throws {
        let good = try request(["A100"])
        func error(_ change: (inout PlanRequest) -> Void) -> PlacementError? {
            var request = good
            change(&request)
            do {
                _ = try Planner.plan(request)
                return nil
            } catch { return error }
        }
        #expect(error { $0.machine.devices = [] } == .noDevices)
        #expect(error { $0.caps = [3: 1] } == .unknownDevice(index: 3, count: 1, option: "a cap"))
        #expect(error { $0.caps = [0: 0] } == .invalidCap(device: 0, byteCount: 0))
        #expect(error { $0.requiredDevices = [1] } == .unknownDevice(index: 1, count: 1, option: "a required device"))
        #expect(error { $0.pin(.vision, to: []) } == .pinnedNowhere(unit: "patchEmbedding"))
        #expect(error { $0.workload.newTokens = 99_999 } == .tooManyTokens(tokens: 101_649, limit: 9792))
        #expect(error { $0.workload.sequences = .max } == .tooMany("sequences", count: .max, limit: 1 << 20))
        #expect(error { $0.workload.textTokens = .max } == .tooMany("text tokens", count: .max, limit: 1 << 20))
        let many = Array(repeating: good.machine.devices[0], count: 33)
        #expect(error { $0.machine.devices = many } == .tooManyDevices(count: 33, limit: 32))
        #expect(error { _ in } == nil)
    }

    @Test("a placement by hand is priced and checked by the same functions")
    func evaluation() throws {
        let request = try request(["A100", "A100"])
        let plan = try Planner.plan(request)
        let again = try Planner.evaluate(plan.placement, for: request)
        #expect(again.devices == plan.devices)
        #expect(again.prediction == plan.prediction)
        #expect(again.value == plan.value)
        let other = Placement.single(visionLayers: 3, decoderLayers: 2)
        #expect(throws: PlacementError.self) { try Planner.evaluate(other, for: request) }
    }

    @Test("unlike links: the runs are ordered by the faster ones")
    func links() throws {
        var request = try request(Array(repeating: "RTX 2080 Ti", count: 4), .latency)
        request.requiredDevices = [0, 1, 2, 3]
        request.machine.defaultLink = LinkProfile(latency: 1, bandwidth: 1e9)
        for (from, to) in [(0, 2), (2, 1), (1, 3), (3, 0)] {
            request.machine.links[DevicePair(from: from, to: to)] = LinkProfile(latency: 0, bandwidth: 1e12)
        }
        let plan = try Planner.plan(request)
        try expectSound(plan)
        let bound = try #require(plan.bound)
        #expect(plan.value >= bound.searched - 1e-6)
        #expect(plan.isProvedBest == (plan.value <= bound.searched + bound.resolution))
    }

    @Test("policies keep their promises")
    func policies() throws {
        let request = try request(["A100", "A100", "A100"], .latency)
        #expect(try Planner.plan(request, policy: .auto).usedDevices == [0])
        #expect(try Planner.plan(request, policy: .balanced).usedDevices == [0, 1, 2])
        #expect(try Planner.plan(request, policy: .balancedLow0).usedDevices == [1, 2])
        #expect(try Planner.plan(request, policy: .sequential).usedDevices == [0])
        let small = try self.request(["RTX 2080 Ti", "RTX 2080 Ti", "RTX 2080 Ti", "RTX 2080 Ti"])
        let sequential = try Planner.plan(small, policy: .sequential)
        #expect(sequential.usedDevices == [0, 1, 2])
        try expectSound(sequential)
        let low = try Planner.plan(small, policy: .balancedLow0)
        try expectSound(low)
        let balanced = try Planner.plan(small, policy: .balanced)
        #expect(low.devices[0].fraction < balanced.devices[0].fraction)
        for policy in Policy.allCases {
            let tooSmall = try self.request(["T4"])
            #expect(throws: PlacementError.self) { try Planner.plan(tooSmall, policy: policy) }
        }
    }

    @Test("one chain is never better than two")
    func oneChain() throws {
        for cards in [["RTX 4090", "RTX 4090"], ["RTX 4090", "RTX 3060", "RTX 4060"], ["A100"]] {
            let request = try request(cards)
            let one = try Planner.oneChainFraction(request)
            #expect(try Planner.plan(request).value <= (one ?? 0) + 1e-9)
        }
    }

    @Test("alternatives are worse under the plan's own objective")
    func alternatives() throws {
        let plan = try Planner.plan(try request(["RTX 4090", "RTX 3090", "RTX 3060"]))
        let alternatives = Planner.alternatives(to: plan)
        #expect(alternatives.contains { $0.change == .oneChain })
        #expect(alternatives.contains { $0.change == .without(device: 2) })
        for alternative in alternatives where alternative.change != .streamedVision {
            guard let value = alternative.value else { continue }
            #expect(value >= plan.value - 1e-9, "\(alternative.change)")
        }
        let tightest = try #require(Planner.sensitivities(of: plan).first)
        #expect(tightest.headroom == plan.smallestHeadroom)
    }

    @Test("the Pareto table prices tensor parallelism and replicas, and says what cannot run yet")
    func pareto() throws {
        let fp8 = PrecisionChoice(.float8)
        let pair = try request(["RTX 4090", "RTX 4090"])
        let table = try ParetoTable(pair, precisions: [fp8])
        let layers = try #require(table.entries.first { $0.layout == .layers && $0.precision != fp8 })
        let parallel = try #require(
            table.entries.first { $0.layout == .tensorParallel(degree: 2) && $0.precision != fp8 })
        let replicas = try #require(table.entries.first { $0.layout == .replicas(count: 2) })
        #expect(layers.isExecutable && !parallel.isExecutable && !replicas.isExecutable)
        // Two cards read half the weights each; one split by layers reads them in turn.
        #expect((54...58).contains(1 / layers.secondsPerToken))
        #expect((80...105).contains(1 / parallel.secondsPerToken))
        #expect(replicas.precision == fp8)
        #expect((90...110).contains(1 / replicas.secondsPerToken))
        #expect(layers.sequenceCapacity > 10)
        #expect(table.entries.contains { $0.isEfficient })
        let three = try ParetoTable(try request(["RTX 4090", "RTX 4090", "RTX 4090"]))
        #expect(!three.entries.contains { $0.layout == .tensorParallel(degree: 3) })
    }

    @Test("known cards are found by their usual names")
    func knownCards() {
        for name in ["RTX 4090", "NVIDIA GeForce RTX 4090", "rtx4090", "rtx-4090"] {
            #expect(KnownCard.named(name)?.memory == 24, "\(name)")
        }
        #expect(KnownCard.named("Tesla T4")?.computes(in: .bfloat16) == false)
        #expect(KnownCard.named("A100")?.computes(in: .float8) == false)
        #expect(KnownCard.named("RTX 1") == nil)
        #expect(Set(KnownCard.all.map(\.name)).count == KnownCard.all.count)
    }
}
