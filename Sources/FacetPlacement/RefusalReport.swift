/// Says by how little a request does not fit, and what would help.
struct RefusalReport {
    let request: PlanRequest

    init(_ request: PlanRequest) {
        var request = request
        if request.objective == .context { request.workload.newTokens = 0 }
        self.request = request
    }

    func refusal() -> Refusal {
        let eligible = request.eligibleDevices
        return Refusal(
            deficitPerDevice: deficit(request, step: 1), deficitOfOne: deficitOfOne(),
            weightBytes: request.model.byteCount(request.precision),
            budgetBytes: eligible.reduce(0) { $0 + request.budget(of: $1) }, remedies: remedies())
    }

    /// More than any request needs on a device.
    private static let most = 1 << 50

    /// Bytes that every device lacks, rounded up to `step`; `most` when no memory would do.
    private func deficit(_ request: PlanRequest, step: Int) -> Int {
        let problems = request.streamingChoices.map { SearchProblem(request, $0) }
        return smallest(step) { extra in problems.contains { $0.isFeasible(extra: { _ in extra }) } }
    }

    private func deficitOfOne() -> DeviceDeficit? {
        let problems = request.streamingChoices.map { SearchProblem(request, $0) }
        let deficits = request.eligibleDevices.map { device in
            DeviceDeficit(
                device: device,
                byteCount: smallest(1) { extra in
                    problems.contains { $0.isFeasible(extra: { $0 == device ? extra : 0 }) }
                })
        }
        return deficits.filter { $0.byteCount < Self.most }.min {
            ($0.byteCount, $0.device) < ($1.byteCount, $1.device)
        }
    }

    /// The smallest multiple of `step` for which a monotone condition holds.
    private func smallest(_ step: Int, _ holds: (Int) -> Bool) -> Int {
        var high = step
        while !holds(high) {
            if high >= Self.most { return Self.most }
            high *= 2
        }
        var low = high == step ? 0 : high / 2  // does not hold
        while high - low > step {
            let middle = low + (high - low) / 2 / step * step
            if middle <= low { break }
            if holds(middle) { high = middle } else { low = middle }
        }
        return high
    }

    /// What would help, in the order of what it costs in quality and time.
    private func remedies() -> [Remedy] {
        var found = [smallerChunks(), fewerTokens(), fewerSequences()].compactMap { $0 }
        if request.workload.cachePrecision != .float8, request.workload.cachePrecision != .int8 {
            found.append(remedy(.quantizedCache(.float8)) { $0.workload.cachePrecision = .float8 })
        }
        if request.visionStreaming == .never {
            found.append(remedy(.streamedVision) { $0.visionStreaming = .ifNeeded })
        }
        for choice in quantized() { found.append(remedy(.quantizedWeights(choice)) { $0.precision = choice }) }
        if request.decoderStreaming == .never {
            found.append(
                remedy(.streamedDecoder) {
                    $0.visionStreaming = .ifNeeded
                    $0.decoderStreaming = .ifNeeded
                })
        }
        return found
    }

    private func remedy(_ kind: Remedy.Kind, _ change: (inout PlanRequest) -> Void) -> Remedy {
        var changed = request
        change(&changed)
        if changed.objective == .context { changed.objective = .balanced }
        if let plan = Planner.best(changed) {
            return Remedy(
                kind: kind, fits: true, deficitPerDevice: 0, hostDeficit: 0,
                timeToFirstToken: plan.prediction.timeToFirstToken,
                secondsPerToken: plan.prediction.secondsPerToken)
        }
        let host = Planner.hostBytesNeeded(changed)
        return Remedy(
            kind: kind, fits: false, deficitPerDevice: host == nil ? deficit(changed, step: 1 << 20) : 0,
            hostDeficit: host.map { $0 - request.machine.hostFreeBytes } ?? 0, timeToFirstToken: nil,
            secondsPerToken: nil)
    }

    /// The largest chunk that fits, in powers of two, with vision tiles to match.
    private func smallerChunks() -> Remedy? {
        let rows = request.workload.chunkRows(request.model)
        let tile = request.workload.visionTileRows ?? request.model.vision.rows
        let sizes = [2048, 1024, 512, 256, 128].filter { $0 < rows || $0 < tile }
        let remedies = sizes.lazy.map { size in
            let (chunk, tile) = (min(size, rows), min(size, tile))
            return self.remedy(.smallerChunks(prefill: chunk, visionTile: tile)) {
                $0.workload.prefillChunk = chunk
                $0.workload.visionTileRows = tile
            }
        }
        return remedies.first { $0.fits } ?? remedies.last
    }

    private func fewerTokens() -> Remedy? {
        let wanted = request.workload.newTokens
        let count = largest(below: wanted) { $0.workload.newTokens = $1 }
        return wanted == 0 ? nil : remedy(.fewerTokens(newTokens: count)) { $0.workload.newTokens = count }
    }

    private func fewerSequences() -> Remedy? {
        let wanted = request.workload.sequences
        guard wanted > 1 else { return nil }
        let count = 1 + largest(below: wanted - 1) { $0.workload.sequences = $1 + 1 }
        return remedy(.fewerSequences(count)) { $0.workload.sequences = count }
    }

    /// The largest count below `limit` with which the request fits; 0 when none does.
    private func largest(below limit: Int, _ change: (inout PlanRequest, Int) -> Void) -> Int {
        func fits(_ count: Int) -> Bool {
            var changed = request
            change(&changed, count)
            return Planner.isFeasible(changed)
        }
        var (low, high) = (0, limit)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        return low
    }

    /// Weights in fewer bits: one chain, then both.
    private func quantized() -> [PrecisionChoice] {
        let now = request.precision
        guard !now.vision.isQuantized, !now.decoder.isQuantized else { return [] }
        return [
            PrecisionChoice(vision: .float8, decoder: now.decoder, output: now.output),
            PrecisionChoice(vision: now.vision, decoder: .float8, output: now.output),
            PrecisionChoice(vision: .float8, decoder: .float8, output: now.output),
            PrecisionChoice(vision: .int4(group: 64), decoder: .int4(group: 64), output: now.output),
        ]
    }
}
