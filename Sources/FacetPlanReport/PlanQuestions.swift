public import FacetPlacement

/// Other questions asked of the planner, so that a plan can say why it is so and what would change it.
///
/// Each is a whole plan of its own; none reads anything but the request.
public struct PlanQuestions {
    /// Makes a plan or says why there is none.
    public typealias Planner = (PlanRequest) throws(PlacementError) -> Plan

    private let plan: Plan
    private let names: [String]
    private let planner: Planner

    /// Asks about a plan.
    ///
    /// - Parameters:
    ///   - names: the devices' names, in their order.
    ///   - planner: what made the plan.
    public init(_ plan: Plan, names: [String], planner: @escaping Planner) {
        self.plan = plan
        self.names = names
        self.planner = planner
    }

    /// Why the next best plans lost: without each device, and with each chain whole on the device that suits it best.
    public func alternatives() -> [String] {
        var lines: [String] = []
        let used = plan.usedDevices
        if used.count > 1 {
            for device in used.prefix(3) {
                var request = plan.request
                let rest = Set(request.machine.devices.indices).subtracting([device])
                for kind in UnitKind.allCases { request.pins[kind] = (request.pins[kind] ?? rest).intersection(rest) }
                guard UnitKind.allCases.allSatisfy({ request.pins[$0]?.isEmpty == false }) else { continue }
                lines.append("without \(names[device]): \(outcome(request))")
            }
        }
        lines += whole(.vision, plan.placement.vision, "vision")
        lines += whole(.decoder, plan.placement.decoder, "the decoder")
        return lines
    }

    /// What would change the answer: how many sequences still fit, and whether fewer devices would do.
    public func changes() -> [String] {
        var lines = [sequences()]
        if plan.usedDevices.count > 1, plan.request.objective != .fewest {
            var request = plan.request
            request.objective = .fewest
            if let fewer = answer(request), fewer.usedDevices.count < plan.usedDevices.count {
                let list = fewer.usedDevices.map { names[$0] }.joined(separator: ", ")
                lines.append(
                    "--optimize fewest needs \(list) only: first token after "
                        + "\(NumberText.seconds(fewer.prediction.timeToFirstToken)), "
                        + "\(NumberText.seconds(fewer.prediction.secondsPerToken)) per token")
            }
        }
        return lines
    }

    /// A chain that is cut, put whole on one device.
    private func whole(_ kinds: UnitKinds, _ chain: [UnitPlacement], _ name: String) -> [String] {
        guard Set(chain.map(\.device)).count > 1 else { return [] }
        var best: (device: Int, plan: Plan)?
        for device in plan.usedDevices.prefix(3) {
            var request = plan.request
            request.pin(kinds, to: [device])
            guard let answer = answer(request) else { continue }
            if best.map({ isBetter(answer.value, $0.plan.value) }) ?? true { best = (device, answer) }
        }
        guard let best else { return ["\(name) whole on one device: does not fit on any"] }
        return ["\(name) whole on \(names[best.device]): \(comparison(best.plan))"]
    }

    private func outcome(_ request: PlanRequest) -> String {
        do throws(PlacementError) {
            return comparison(try planner(request))
        } catch {
            guard case .doesNotFit(let refusal) = error else { return "no plan" }
            return "does not fit, each device lacks \(ByteSize.text(refusal.deficitPerDevice))"
        }
    }

    private func comparison(_ other: Plan) -> String { PlanReport.comparison(of: other, with: plan) }

    private func isBetter(_ left: Double, _ right: Double) -> Bool {
        plan.request.objective == .context ? left > right : left < right
    }

    /// The most sequences of the workload's kind that the same placement holds, by bisection: memory only grows with
    /// their number.
    private func sequences() -> String {
        func fits(_ count: Int) -> Bool {
            var request = plan.request
            request.workload.sequences = count
            return request.devicePlans(for: plan.placement).allSatisfy { !$0.isUsed || $0.headroom >= 0 }
        }
        var (fitting, beyond) = (plan.request.workload.sequences, Self.sequenceLimit)
        guard fits(fitting + 1) else { return "one more sequence of this kind would need another placement" }
        guard !fits(beyond) else { return "more than \(beyond) sequences of this kind fit the same placement" }
        while beyond - fitting > 1 {
            let middle = (fitting + beyond) / 2
            if fits(middle) { fitting = middle } else { beyond = middle }
        }
        return "up to \(fitting) sequences of this kind fit the same placement"
    }

    private func answer(_ request: PlanRequest) -> Plan? { try? planner(request) }

    private static let sequenceLimit = 65_536
}

extension PlanReport {
    /// The objective's value of one plan beside that of another for the same objective.
    public static func comparison(of other: Plan, with plan: Plan) -> String {
        let (left, right) = (other.value, plan.value)
        return switch plan.request.objective {
        case .balanced:
            "the fullest device at \(NumberText.fixed(100 * left, 1)) % instead of \(NumberText.fixed(100 * right, 1)) %"
        case .latency, .throughput, .decode: "\(NumberText.seconds(left)) instead of \(NumberText.seconds(right))"
        case .context: "\(NumberText.fixed(left, 0)) rows instead of \(NumberText.fixed(right, 0))"
        case .fewest: "\(NumberText.fixed(left, 0)) devices instead of \(NumberText.fixed(right, 0))"
        }
    }
}
