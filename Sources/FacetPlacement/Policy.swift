/// Ways to share out a model that users of other tools know by name.
///
/// They differ from those tools: units are never cut, memory beyond the weights counts, and nothing is streamed or put
/// on a processor unless the request allows it.
public enum Policy: String, Sendable, Hashable, CaseIterable {
    /// The request's own objective.
    case auto
    /// The fullest device is as empty as it can be.
    case balanced
    /// As little as possible on the first device, the others balanced.
    case balancedLow0 = "balanced_low_0"
    /// Devices are filled one after the other: as few as possible from the first on, each holding all it can.
    case sequential
}

extension Planner {
    /// The best plan under a policy.
    ///
    /// - Throws: as `plan` does.
    public static func plan(_ request: PlanRequest, policy: Policy) throws(PlacementError) -> Plan {
        try request.validate()
        var changed = request
        switch policy {
        case .auto: break
        case .balanced: changed.objective = .balanced
        case .balancedLow0:
            changed.objective = .balanced
            if isFeasible(changed), let first = changed.eligibleDevices.min() { changed.lower(first) }
        case .sequential:
            changed.objective = .balanced
            if isFeasible(changed) { changed.fillInOrder() }
        }
        return try plan(changed)
    }
}

extension PlanRequest {
    /// Lowers the cap of a device to the least with which a plan exists; without it altogether when it is not needed.
    fileprivate mutating func lower(_ device: Int) {
        let without = excluding(device)
        if !requiredDevices.contains(device), Planner.isFeasible(without) {
            self = without
            return
        }
        var (low, high) = (0, budget(of: device))
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if Planner.isFeasible(capped(device, middle)) { high = middle } else { low = middle }
        }
        self = capped(device, high)
    }

    /// Leaves out the last devices while a plan exists, then empties the later ones as far as possible.
    fileprivate mutating func fillInOrder() {
        let devices = eligibleDevices.sorted()
        for device in devices.reversed() { lower(device) }
    }

    private func excluding(_ device: Int) -> PlanRequest {
        var request = self
        let all = Set(machine.devices.indices)
        for kind in UnitKind.allCases { request.pins[kind] = (pins[kind] ?? all).subtracting([device]) }
        return request
    }

    /// The same with a device's budget, others' use included, at most so large.
    private func capped(_ device: Int, _ budget: Int) -> PlanRequest {
        var request = self
        let profile = machine.devices[device]
        request.caps[device] = max(1, budget - profile.otherBytes - profile.margin)
        return request
    }
}
