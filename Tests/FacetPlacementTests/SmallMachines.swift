import FacetPlacement

/// A seeded generator: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A model of a few units with random sizes.
func smallModel(_ random: inout SeededGenerator) -> ModelDescription {
    let sizes = (0..<7).map { _ in Int.random(in: 1...60, using: &random) << 18 }
    return ModelDescription(
        units: PerKind {
            PlacementUnit(linears: [LinearShape(outputs: 1, inputs: sizes[$0.rawValue])], otherElements: 4)
        },
        visionLayerCount: Int.random(in: 1...2, using: &random),
        decoderLayerCount: Int.random(in: 1...2, using: &random),
        vision: VisionWidths(rows: 65, width: 64, heads: 4, intermediate: 256, patchElements: 48, imageRows: 18),
        decoder: DecoderWidths(
            hidden: 64, intermediate: 208, heads: 8, groups: 2, headDimension: 8, vocabulary: 1000),
        tokenLimit: 4096)
}

/// A machine of unlike devices, of sizes around what the model needs.
func smallMachine(_ random: inout SeededGenerator, devices count: Int, model: ModelDescription) -> Machine {
    let bytes = model.byteCount(PrecisionChoice(.bfloat16))
    let devices = (0..<count).map { index in
        DeviceProfile(
            name: "card \(index)",
            totalBytes: bytes * Int.random(in: (10 + 60 / count)...(90 + 60 / count), using: &random) / 100 + (8 << 20),
            contextBytes: Int.random(in: 0...4, using: &random) << 20, marginBytes: 1 << 20,
            rates: DeviceRates(
                flops: Double.random(in: 1e10...1e12, using: &random),
                bandwidth: Double.random(in: 1e8...1e10, using: &random)))
    }
    return Machine(
        name: "small", devices: devices,
        defaultLink: LinkProfile(latency: Double.random(in: 0...1e-3, using: &random), bandwidth: 1e9))
}

/// A request with a random workload.
func smallRequest(_ random: inout SeededGenerator, devices: Int, objective: Objective) -> PlanRequest {
    let model = smallModel(&random)
    let machine = smallMachine(&random, devices: devices, model: model)
    let workload = Workload(
        sequences: Int.random(in: 1...4, using: &random), imagesPerSequence: Int.random(in: 0...2, using: &random),
        textTokens: Int.random(in: 1...200, using: &random), newTokens: Int.random(in: 0...300, using: &random),
        prefillChunk: 64, attention: Bool.random(using: &random) ? .fused : .materialized, visionTileRows: 16)
    return PlanRequest(
        model: model, precision: PrecisionChoice(.bfloat16), workload: workload, machine: machine, objective: objective)
}

/// Every way to give each device at most one run of a chain of `count` units.
func tilings(units count: Int, devices: Int) -> [[Int]] {
    var found: [[Int]] = []
    func extend(_ chain: [Int]) {
        if chain.count == count {
            found.append(chain)
            return
        }
        for device in 0..<devices where device == chain.last || !chain.contains(device) { extend(chain + [device]) }
    }
    extend([])
    return found
}

/// Every placement of a request in which each device has at most one run of each chain.
func allPlacements(_ request: PlanRequest) -> [Placement] {
    let devices = request.machine.devices.count
    let visions = tilings(units: request.model.visionLayerCount + 2, devices: devices)
    let decoders = tilings(units: request.model.decoderLayerCount + 3, devices: devices)
    return visions.flatMap { vision in
        decoders.map { decoder in
            Placement(
                vision: vision.map { UnitPlacement(device: $0) }, decoder: decoder.map { UnitPlacement(device: $0) })
        }
    }
}

/// Whether a placement is within every budget.
func fits(_ placement: Placement, _ request: PlanRequest, extra: (Int) -> Int = { _ in 0 }) -> Bool {
    request.devicePlans(for: placement).allSatisfy { !$0.isUsed || $0.headroom + extra($0.index) >= 0 }
}

/// A plan, or why there is none; neither when the request makes no sense.
func outcome(_ request: PlanRequest) -> (plan: Plan?, refusal: Refusal?) {
    do {
        return (try Planner.plan(request), nil)
    } catch {
        guard case .doesNotFit(let refusal) = error else { return (nil, nil) }
        return (nil, refusal)
    }
}
