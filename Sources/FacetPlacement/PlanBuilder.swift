/// Makes a plan of what a search found.
struct PlanBuilder {
    let request: PlanRequest
    let problem: SearchProblem

    func plan(_ solution: SearchSolution) -> Plan {
        let inputs = request.inputs(problem.streaming)
        let cost = CostModel(inputs, request.machine)
        var placement = RunOrder(machine: request.machine, entries: solution.choices, cost: cost).placement()
        stream(&placement)
        let devices = request.devicePlans(for: placement)
        let prediction = Predictor(inputs, request.machine, placement).prediction
        let searched = seconds(solution)
        return Plan(
            request: request, placement: placement, devices: devices, prediction: prediction,
            value: value(devices, prediction, placement), bound: bound(searched), streaming: problem.streaming)
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

    private func value(_ devices: [DevicePlan], _ prediction: Prediction, _ placement: Placement) -> Double {
        switch request.objective {
        case .balanced, .context: return devices.filter(\.isUsed).map(\.fraction).max() ?? 0
        case .latency:
            return prediction.timeToFirstToken + Double(request.workload.newTokens) * prediction.secondsPerToken
        case .decode: return prediction.decodeStages.max() ?? 0
        case .throughput: return busiest(placement)
        case .fewest: return Double(devices.count(where: \.isUsed))
        }
    }

    /// The time of the busiest device for a round of all requests.
    private func busiest(_ placement: Placement) -> Double {
        let all = RequestPhases(request.inputs(problem.streaming), sequences: request.workload.sequences)
        let places = placement.vision + placement.decoder
        var seconds = [Double](repeating: 0, count: request.machine.devices.count)
        for (name, place) in zip(request.model.unitNames, places) {
            let streaming = place.residency == .resident ? Streaming.none : problem.streaming
            let cost = CostModel(request.inputs(streaming), request.machine)
            seconds[place.device] +=
                cost.seconds(name.kind, on: place.device, all.vision)
                + cost.seconds(name.kind, on: place.device, all.prefill)
                + Double(all.steps) * cost.seconds(name.kind, on: place.device, all.decode)
        }
        return seconds.max() ?? 0
    }
}
