/// Turns predicted times into the search's whole numbers.
struct CardCosts {
    private let inputs: MemoryInputs
    private let request: PlanRequest
    private let devices: [Int]
    private let cost: CostModel
    private let one: RequestPhases
    private let all: RequestPhases

    /// Bits below the nanoseconds for what decides ties: devices, then hops.
    static let tieBits = 12
    private static let deviceTie = 1 << 6
    private static let hopTie = 1
    /// A unit never costs more: sums must not overflow.
    private static let largest = Double(1 << 40)

    init(_ inputs: MemoryInputs, _ request: PlanRequest, among devices: [Int]) {
        self.inputs = inputs
        self.request = request
        self.devices = devices
        cost = CostModel(inputs, request.machine)
        one = RequestPhases(inputs, sequences: 1)
        all = RequestPhases(inputs, sequences: inputs.workload.sequences)
    }

    /// A device without limits.
    func card(_ device: Int) -> SearchCard {
        let profile = request.machine.devices[device]
        let timed = !request.objective.isBottleneck
        let hops = timed ? hopSeconds(device) : (vision: 0, decoder: 0, features: 0)
        let fewest = request.objective == .fewest
        return SearchCard(
            memoryLimit: 0, fixedBytes: profile.contextBytes + profile.otherBytes + profile.margin,
            load: PerKind { nanoseconds(loadSeconds($0, device)) }, loadLimit: nil,
            cost: PerKind { timed ? nanoseconds(latencySeconds($0, device)) << Self.tieBits : 0 },
            cardCost: Self.deviceTie + (fewest ? Self.fewestCost : 0),
            visionHopCost: nanoseconds(hops.vision) << Self.tieBits | Self.hopTie,
            decoderHopCost: nanoseconds(hops.decoder) << Self.tieBits | Self.hopTie,
            featureHopCost: nanoseconds(hops.features) << Self.tieBits | Self.hopTie, allowed: allowed(device),
            isRequired: request.requiredDevices.contains(device))
    }

    /// More than any request takes: one device less is worth any time.
    static let fewestCost = 1 << (41 + tieBits)

    private func allowed(_ device: Int) -> UnitKinds {
        UnitKinds(UnitKind.allCases.filter { request.pins[$0]?.contains(device) ?? true })
    }

    private func nanoseconds(_ seconds: Double) -> Int { Int(min((seconds * 1e9).rounded(), Self.largest)) }

    /// What a unit adds to the busiest device's time.
    private func loadSeconds(_ kind: UnitKind, _ device: Int) -> Double {
        let step = cost.seconds(kind, on: device, all.decode)
        if request.objective == .decode { return step }
        return cost.seconds(kind, on: device, all.vision) + cost.seconds(kind, on: device, all.prefill)
            + Double(all.steps) * step
    }

    /// What a unit adds to one request's time.
    private func latencySeconds(_ kind: UnitKind, _ device: Int) -> Double {
        cost.seconds(kind, on: device, one.vision) + cost.seconds(kind, on: device, one.prefill)
            + Double(one.steps) * cost.seconds(kind, on: device, one.decode)
    }

    /// Hops into a device over its best link: what no placement can be below, and exact where all links are alike.
    private func hopSeconds(_ device: Int) -> (vision: Double, decoder: Double, features: Double) {
        let links = devices.filter { $0 != device }.map { request.machine.link(from: $0, to: device) }
        let images = Double(inputs.workload.imagesPerSequence)
        func best(_ seconds: (LinkProfile) -> Double) -> Double { links.map(seconds).min() ?? 0 }
        return (
            best { images * $0.seconds(cost.visionMessage) },
            best { link in
                cost.decoderHopSeconds(link, one.prefill)
                    + Double(one.steps) * cost.decoderHopSeconds(link, one.decode)
            },
            best { images * $0.seconds(cost.featureMessage) }
        )
    }
}
