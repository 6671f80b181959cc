/// Finds the best placement of a request, or says what is missing.
///
/// The search is exact: see `CardRole` for why the orders of the devices need not be tried, `FrontierSearch` for the
/// threshold objectives and `AdditiveSearch` for sums and ties. Ties go to fewer devices, then fewer hops, then the
/// larger smallest headroom, then lower numbers.
public enum Planner {
    /// Most devices that can be searched.
    public static let deviceLimit = 32

    /// Most sequences, pictures or tokens of a workload: sums of bytes must not overflow.
    public static let countLimit = 1 << 20

    /// The best plan.
    ///
    /// - Throws: `.doesNotFit` with the smallest deficit and what would help; others for a request that makes no sense.
    public static func plan(_ request: PlanRequest) throws(PlacementError) -> Plan {
        try request.validate()
        if let plan = best(request) { return plan }
        if let needed = hostBytesNeeded(request) {
            throw .hostTooSmall(needed: needed, available: request.machine.hostFreeBytes)
        }
        throw .doesNotFit(RefusalReport(request).refusal())
    }

    /// Bytes of host memory with which a refused request would have a plan; nil when host memory is not what is missing.
    static func hostBytesNeeded(_ request: PlanRequest) -> Int? {
        guard request.streamingSource == .host else { return nil }
        var ample = request
        ample.machine.hostFreeBytes = .max
        return best(ample)?.streamedBytes
    }

    /// Whether a plan exists; the request must be valid.
    static func isFeasible(_ request: PlanRequest) -> Bool {
        request.streamingChoices.contains { SearchProblem(request, $0).isFeasible() }
    }

    /// The best plan, or nil when nothing fits.
    static func best(_ request: PlanRequest) -> Plan? {
        if request.objective == .context { return largestContext(request) }
        for streaming in request.streamingChoices {
            let problem = SearchProblem(request, streaming)
            guard let solution = problem.solution() else { continue }
            let plan = PlanBuilder(request: request, problem: problem).plan(solution)
            if streaming.source == .host && plan.streamedBytes > request.machine.hostFreeBytes { continue }
            return plan
        }
        return nil
    }

    /// The most tokens that fit; the plan for them is the balanced one.
    private static func largestContext(_ request: PlanRequest) -> Plan? {
        var request = request
        let limit = request.model.tokenLimit - request.workload.promptTokens(request.model)
        request.workload.newTokens = 0
        guard limit >= 0, isFeasible(request) else { return nil }
        request.workload.newTokens = limit
        var (low, high) = isFeasible(request) ? (limit, limit + 1) : (0, limit)
        while high - low > 1 {
            request.workload.newTokens = low + (high - low) / 2
            if isFeasible(request) { low = request.workload.newTokens } else { high = request.workload.newTokens }
        }
        request.workload.newTokens = low
        var balanced = request
        balanced.objective = .balanced
        guard var plan = best(balanced) else { return nil }
        plan.request.objective = .context
        let tokens = Double(request.workload.promptTokens(request.model) + low)
        plan.value = tokens
        plan.bound = PlanBound(fluid: Double(request.model.tokenLimit), searched: tokens, resolution: 0)
        return plan
    }
}

extension PlanRequest {
    /// Refuses what makes no sense.
    func validate() throws(PlacementError) {
        guard !machine.devices.isEmpty else { throw .noDevices }
        guard machine.devices.count <= Planner.deviceLimit else {
            throw .tooManyDevices(count: machine.devices.count, limit: Planner.deviceLimit)
        }
        for (device, cap) in caps.sorted(by: { $0.key < $1.key }) {
            try check(device, "a cap")
            guard cap > 0 else { throw .invalidCap(device: device, byteCount: cap) }
        }
        for device in requiredDevices.sorted() { try check(device, "a required device") }
        let eligible = Set(eligibleDevices)
        for kind in UnitKind.allCases {
            guard let pinned = pins[kind] else { continue }
            for device in pinned.sorted() { try check(device, "a pin") }
            guard !pinned.isDisjoint(with: eligible) else { throw .pinnedNowhere(unit: "\(kind)") }
        }
        let counts = [
            ("sequences", workload.sequences), ("pictures at once", workload.imageBatch),
            ("tokens of a page", workload.pageSize), ("pictures of a sequence", workload.imagesPerSequence),
            ("text tokens", workload.textTokens), ("new tokens", workload.newTokens),
        ]
        for (name, count) in counts where count > Planner.countLimit {
            throw .tooMany(name, count: count, limit: Planner.countLimit)
        }
        let tokens = workload.promptTokens(model) + workload.newTokens
        guard tokens <= model.tokenLimit else { throw .tooManyTokens(tokens: tokens, limit: model.tokenLimit) }
    }

    private func check(_ device: Int, _ option: String) throws(PlacementError) {
        guard machine.devices.indices.contains(device) else {
            throw .unknownDevice(index: device, count: machine.devices.count, option: option)
        }
    }
}
