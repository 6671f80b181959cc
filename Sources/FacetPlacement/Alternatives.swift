/// A plan that was not chosen, and what it would have cost.
public struct Alternative: Sendable {
    /// How it differs from the chosen plan.
    public enum Change: Sendable, Hashable {
        /// One device is not used.
        case without(device: Int)
        /// The whole order of execution is cut into runs, one per device.
        case oneChain
        /// The vision chain is streamed.
        case streamedVision
        /// Another objective.
        case objective(Objective)
    }

    /// How it differs.
    public var change: Change
    /// Its value under the chosen plan's objective; nil when nothing fits.
    public var value: Double?
    /// Its predicted times; nil when nothing fits or none were predicted.
    public var prediction: Prediction?
    /// The devices it uses.
    public var usedDevices: [Int]
}

/// A change of the machine or the request that would lead to another answer.
public struct Sensitivity: Sendable, Hashable {
    /// The device.
    public var device: Int
    /// Bytes by which its free memory may fall before the plan no longer fits.
    public var headroom: Int
}

extension Planner {
    /// Plans near a chosen one, each with what it would have cost: why they lost.
    public static func alternatives(to plan: Plan) -> [Alternative] {
        var found = plan.usedDevices.count > 1 ? plan.usedDevices.map { without($0, plan) } : []
        if plan.request.objective == .balanced, plan.streaming.kinds.isEmpty,
            let fraction = try? oneChainFraction(plan.request)
        {
            found.append(
                Alternative(
                    change: .oneChain, value: fraction <= 1 ? fraction : nil, prediction: nil,
                    usedDevices: plan.usedDevices))
        }
        if !plan.streaming.kinds.hasVision {
            found.append(alternative(.streamedVision, plan) { $0.visionStreaming = .always })
        }
        for objective in [Objective.balanced, .latency, .throughput, .fewest] where objective != plan.request.objective
        {
            found.append(alternative(.objective(objective), plan) { $0.objective = objective })
        }
        return found
    }

    /// How much each used device's memory may shrink, the tightest first.
    public static func sensitivities(of plan: Plan) -> [Sensitivity] {
        plan.devices.filter(\.isUsed).map { Sensitivity(device: $0.index, headroom: $0.headroom) }
            .sorted { ($0.headroom, $0.device) < ($1.headroom, $1.device) }
    }

    private static func without(_ device: Int, _ plan: Plan) -> Alternative {
        alternative(.without(device: device), plan) { request in
            let others = Set(request.machine.devices.indices).subtracting([device])
            for kind in UnitKind.allCases {
                request.pins[kind] = (request.pins[kind] ?? others).intersection(others)
            }
            request.requiredDevices.remove(device)
        }
    }

    private static func alternative(
        _ change: Alternative.Change, _ plan: Plan, _ edit: (inout PlanRequest) -> Void
    ) -> Alternative {
        var request = plan.request
        // The chosen context is what the others are asked to hold.
        if request.objective == .context { request.objective = .balanced }
        edit(&request)
        guard (try? request.validate()) != nil, let other = best(request),
            let same = try? evaluate(other.placement, for: plan.request)
        else { return Alternative(change: change, value: nil, prediction: nil, usedDevices: []) }
        return Alternative(
            change: change, value: same.value, prediction: other.prediction, usedDevices: other.usedDevices)
    }
}
