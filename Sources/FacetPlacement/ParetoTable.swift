/// How several devices share the work.
public enum Layout: Sendable, Hashable {
    /// Layers are split over the devices.
    case layers
    /// Every matrix is split over groups of equal devices.
    case tensorParallel(degree: Int)
    /// Each device, or group of devices, holds the whole model.
    case replicas(count: Int)
}

/// One way to run the model on a machine, priced.
public struct ParetoEntry: Sendable, Hashable {
    /// How the weights are stored.
    public var precision: PrecisionChoice
    /// How devices share the work.
    public var layout: Layout
    /// The devices.
    public var devices: [Int]
    /// Seconds to the first token of one request.
    public var timeToFirstToken: Double
    /// Seconds per token of one sequence alone.
    public var secondsPerToken: Double
    /// Tokens per second with every sequence of the workload on every replica.
    public var tokensPerSecond: Double
    /// Sequences of the workload's length that fit.
    public var sequenceCapacity: Int
    /// Whether this program can run it; others are priced to compare.
    public var isExecutable: Bool
    /// Whether no other entry is at least as good in both times and in capacity, and better in one.
    public var isEfficient: Bool
}

/// Prices layer splits, tensor-parallel groups and replicas in several precisions.
public struct ParetoTable: Sendable {
    /// The ways that fit, the fastest per token first.
    public let entries: [ParetoEntry]

    /// Prices a request.
    ///
    /// - Parameter precisions: what to price besides the request's own precision.
    /// - Throws: what makes no sense of the request.
    public init(_ request: PlanRequest, precisions: [PrecisionChoice] = []) throws(PlacementError) {
        try request.validate()
        var found: [ParetoEntry] = []
        for precision in [request.precision] + precisions.filter({ $0 != request.precision }) {
            var priced = request
            priced.precision = precision
            if priced.objective == .context { priced.objective = .balanced }
            let pricing = LayoutPricing(request: priced)
            found += [pricing.layers()].compactMap { $0 } + pricing.tensorParallel() + pricing.replicas()
        }
        entries = Self.marked(found).sorted { $0.secondsPerToken < $1.secondsPerToken }
    }

    private static func marked(_ entries: [ParetoEntry]) -> [ParetoEntry] {
        entries.map { entry in
            var entry = entry
            entry.isEfficient = !entries.contains { $0.isBetter(than: entry) }
            return entry
        }
    }
}

extension ParetoEntry {
    /// At least as good in everything and better in something.
    fileprivate func isBetter(than other: ParetoEntry) -> Bool {
        let noWorse =
            timeToFirstToken <= other.timeToFirstToken && secondsPerToken <= other.secondsPerToken
            && tokensPerSecond >= other.tokensPerSecond && sequenceCapacity >= other.sequenceCapacity
        let better =
            timeToFirstToken < other.timeToFirstToken || secondsPerToken < other.secondsPerToken
            || tokensPerSecond > other.tokensPerSecond || sequenceCapacity > other.sequenceCapacity
        return noWorse && better
    }
}

/// Prices the layouts of one precision.
private struct LayoutPricing {
    let request: PlanRequest

    /// Layers split as the planner would.
    func layers() -> ParetoEntry? {
        guard let plan = Planner.best(request) else { return nil }
        let stages = plan.usedDevices.count
        return ParetoEntry(
            precision: request.precision, layout: .layers, devices: plan.usedDevices,
            timeToFirstToken: plan.prediction.timeToFirstToken, secondsPerToken: plan.prediction.secondsPerToken,
            tokensPerSecond: plan.prediction.tokensPerSecond(
                sequences: request.workload.sequences, microBatches: stages),
            sequenceCapacity: capacity(request), isExecutable: true, isEfficient: false)
    }

    /// Groups of equal devices, in every degree that divides the heads and the inner widths of both chains.
    func tensorParallel() -> [ParetoEntry] {
        classes().flatMap { devices in
            [2, 4, 8].filter { $0 <= devices.count && divides($0) }.compactMap { group(Array(devices.prefix($0))) }
        }
    }

    /// One replica on each device of a class on which the whole model fits.
    func replicas() -> [ParetoEntry] {
        classes().compactMap { devices in
            guard let first = devices.first, devices.count > 1, let plan = Planner.best(only(first)) else { return nil }
            let rate = plan.prediction.tokensPerSecond(sequences: request.workload.sequences, microBatches: 1)
            return ParetoEntry(
                precision: request.precision, layout: .replicas(count: devices.count), devices: devices,
                timeToFirstToken: plan.prediction.timeToFirstToken, secondsPerToken: plan.prediction.secondsPerToken,
                tokensPerSecond: rate * Double(devices.count), sequenceCapacity: capacity(only(first)) * devices.count,
                isExecutable: false, isEfficient: false)
        }
    }

    /// Devices with the same profile, in groups.
    private func classes() -> [[Int]] {
        let devices = request.eligibleDevices
        let groups = Dictionary(grouping: devices) { request.machine.devices[$0] }
        return groups.values.map { $0.sorted() }.sorted { $0[0] < $1[0] }
    }

    private func divides(_ degree: Int) -> Bool {
        let (vision, decoder) = (request.model.vision, request.model.decoder)
        let divided = [vision.heads, vision.intermediate, decoder.heads, decoder.intermediate, decoder.vocabulary]
        return divided.allSatisfy { $0 % degree == 0 }
    }

    private func only(_ device: Int) -> PlanRequest {
        var request = request
        request.requiredDevices = []
        request.pin(.all, to: [device])
        return request
    }

    /// A group in which each device computes its share of every unit and two sums per layer go around.
    private func group(_ devices: [Int]) -> ParetoEntry? {
        let degree = devices.count
        let shared = TensorParallelMemory(base: request.memory, degree: degree)
        func fits(_ sequences: Int) -> Bool {
            var inputs = request.inputs(.none)
            inputs.workload.sequences = sequences
            return devices.allSatisfy { device in
                let profile = request.machine.devices[device]
                let fixed = profile.contextBytes + profile.otherBytes + profile.margin
                return shared.byteCount(inputs) + fixed <= request.budget(of: device)
            }
        }
        guard fits(request.workload.sequences) else { return nil }
        let times = GroupTimes(request: request, devices: devices)
        let step = times.step(sequences: request.workload.sequences)
        return ParetoEntry(
            precision: request.precision, layout: .tensorParallel(degree: degree), devices: devices,
            timeToFirstToken: times.firstToken, secondsPerToken: times.step(sequences: 1),
            tokensPerSecond: step > 0 ? Double(request.workload.sequences) / step : 0,
            sequenceCapacity: largest(fits), isExecutable: false, isEfficient: false)
    }

    private func capacity(_ request: PlanRequest) -> Int {
        largest { sequences in
            var changed = request
            changed.workload.sequences = sequences
            return Planner.isFeasible(changed)
        }
    }

    /// The largest count, up to a million, for which a monotone condition holds; 0 when it does not hold for 1.
    private func largest(_ holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, 1)
        while high < 1 << 20, holds(high) { (low, high) = (high, high * 2) }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if holds(middle) { low = middle } else { high = middle }
        }
        return low
    }
}

/// What a device of a tensor-parallel group needs: shares of the linear weights, all of the rest.
private struct TensorParallelMemory {
    let base: any MemoryModel
    let degree: Int

    func byteCount(_ inputs: MemoryInputs) -> Int {
        let weights = UnitKind.allCases.reduce(0) { sum, kind in
            let unit = inputs.model.units[kind]
            let all = unit.byteCount(inputs.precision[kind])
            let others = unit.otherElements * inputs.precision[kind].elementByteCount
            return sum + inputs.model.count(of: kind) * (others + (all - others).dividedUp(by: degree))
        }
        // Heads of the cache are split as far as there are any, then kept twice.
        let shares = min(degree, inputs.model.decoder.groups)
        let cache = inputs.model.decoderLayerCount * base.cachePerLayer(inputs).dividedUp(by: shares)
        return weights + cache + base.tables(.all, inputs) + base.activations(.all, inputs) + base.logits(.all, inputs)
            + base.hopBuffers(.all, inputs)
    }
}

/// Times of a tensor-parallel group: the slowest device's share, and two ring sums per layer.
private struct GroupTimes {
    let request: PlanRequest
    let devices: [Int]

    /// Seconds to the first token of one request.
    var firstToken: Double {
        let one = RequestPhases(request.inputs(.none), sequences: 1)
        let images = Double(request.workload.imagesPerSequence)
        let model = request.model
        let visionSums = images * 2 * Double(model.visionLayerCount) * sum(cost.visionMessage)
        let rows = request.workload.chunkRows(model)
        let sums = 2 * Double(model.decoderLayerCount * one.prefill.passes) * sum(cost.decoderMessage(rows: rows))
        return share(one.vision) + share(one.prefill) + visionSums + sums
    }

    /// Seconds of a decode step.
    func step(sequences: Int) -> Double {
        let phases = RequestPhases(request.inputs(.none), sequences: sequences)
        let sums = 2 * Double(request.model.decoderLayerCount) * sum(cost.decoderMessage(rows: sequences))
        return share(phases.decode) + sums
    }

    private var cost: CostModel { CostModel(request.inputs(.none), request.machine) }

    private func share(_ phase: Phase) -> Double {
        let slowest =
            devices.map { device in
                UnitKind.allCases.reduce(0) {
                    $0 + Double(request.model.count(of: $1)) * cost.seconds($1, on: device, phase)
                }
            }.max() ?? 0
        return slowest / Double(devices.count)
    }

    /// Seconds of one sum over the group around a ring: `alpha + 2(n - 1)/n · m / beta`, over the slowest link.
    private func sum(_ byteCount: Int) -> Double {
        let count = Double(devices.count)
        let links = devices.flatMap { from in
            devices.filter { $0 != from }.map { request.machine.link(from: from, to: $0) }
        }
        return links.map { $0.latency + 2 * (count - 1) / count * Double(byteCount) / $0.bandwidth }.max() ?? 0
    }
}
