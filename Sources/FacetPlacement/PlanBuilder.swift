/// Makes a plan of what a search found.
struct PlanBuilder {
    let request: PlanRequest
    let problem: SearchProblem

    func plan(_ solution: SearchSolution) -> Plan {
        let cost = CostModel(request.inputs(problem.streaming), request.machine)
        var placement = RunOrder(machine: request.machine, entries: solution.choices, cost: cost).placement()
        stream(&placement)
        var plan = PlacementEvaluation(request: request, placement: placement, streaming: problem.streaming).plan
        plan.bound = bound(seconds(solution))
        return plan
    }

    /// Marks streamed units, then makes as many layers of each device resident again as there is room for.
    private func stream(_ placement: inout Placement) {
        let (kinds, source) = (problem.streaming.kinds, problem.streaming.source)
        guard !kinds.isEmpty else { return }
        let vision = UnitName.visionChain(layerCount: request.model.visionLayerCount)
        let decoder = UnitName.decoderChain(layerCount: request.model.decoderLayerCount)
        for (index, name) in vision.enumerated() where kinds.contains(name.kind) {
            placement.vision[index].residency = source
        }
        for (index, name) in decoder.enumerated() where kinds.contains(name.kind) {
            placement.decoder[index].residency = source
        }
        // A decoder layer is copied for every token, a vision layer for every picture: the decoder's come back first.
        let before = request.devicePlans(for: placement)
        for device in before where device.isUsed {
            var room = device.headroom
            let size = request.model.byteCount(.decoderLayer, request.precision)
            let layers = device.decoder.filter { placement.decoder[$0].residency != .resident }
            for index in Self.spread(layers, room: &room, size: size) {
                placement.decoder[index].residency = .resident
            }
            guard request.visionStreaming != .always else { continue }
            let visionSize = request.model.byteCount(.visionLayer, request.precision)
            let visionLayers = device.vision.filter { vision[$0].kind == .visionLayer }
            for index in Self.spread(visionLayers, room: &room, size: visionSize) {
                placement.vision[index].residency = .resident
            }
        }
    }

    /// As many of the units as there is room for, evenly spread so that copies hide behind what lies between.
    private static func spread(_ units: [Int], room: inout Int, size: Int) -> [Int] {
        guard size > 0, room > 0, !units.isEmpty else { return [] }
        // One stays streamed at least: the staging buffers are there for it.
        let count = min(units.count - 1, room / size)
        room -= count * size
        return units.indices.filter { ($0 + 1) * count / units.count > $0 * count / units.count }.map { units[$0] }
    }

    private func seconds(_ solution: SearchSolution) -> Double {
        switch request.objective {
        case .balanced, .context: Double(solution.value) / Double(SearchProblem.fractionParts)
        case .latency, .throughput, .decode: Double(solution.value) / 1e9
        case .fewest: Double(solution.choices.count)
        }
    }

    private func bound(_ searched: Double) -> PlanBound {
        switch request.objective {
        case .balanced, .context:
            let parts = Double(SearchProblem.fractionParts)
            return PlanBound(fluid: Double(problem.fluidBound) / parts, searched: searched, resolution: 1 / parts)
        case .latency:
            // Rounded to nanoseconds, once per unit and hop.
            return PlanBound(fluid: 0, searched: searched, resolution: 1e-9 * 0.5 * Double(unitCount + 100))
        case .throughput, .decode:
            let fluid = Double(problem.fluidBound) / 1e9
            return PlanBound(fluid: fluid, searched: searched, resolution: 1e-9 * Double(unitCount))
        case .fewest: return PlanBound(fluid: 1, searched: searched, resolution: 0)
        }
    }

    private var unitCount: Int { request.model.unitNames.count }
}
