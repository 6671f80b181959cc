/// The numbers of a placement, however it came about.
struct PlacementEvaluation {
    let request: PlanRequest
    let placement: Placement
    let streaming: Streaming

    /// A plan without a bound.
    var plan: Plan {
        let devices = request.devicePlans(for: placement)
        let prediction = Predictor(request.inputs(streaming), request.machine, placement).prediction
        return Plan(
            request: request, placement: placement, devices: devices, prediction: prediction,
            value: value(devices, prediction), bound: nil, streaming: streaming)
    }

    private func value(_ devices: [DevicePlan], _ prediction: Prediction) -> Double {
        switch request.objective {
        case .balanced: return devices.filter(\.isUsed).map(\.fraction).max() ?? 0
        case .context: return Double(request.workload.promptTokens(request.model) + request.workload.newTokens)
        case .latency:
            return prediction.timeToFirstToken + Double(request.workload.newTokens) * prediction.secondsPerToken
        case .decode: return prediction.decodeStages.max() ?? 0
        case .throughput: return busiest
        case .fewest: return Double(devices.count(where: \.isUsed))
        }
    }

    /// The time of the busiest device for a round of all requests.
    private var busiest: Double {
        let all = RequestPhases(request.inputs(streaming), sequences: request.workload.sequences)
        var seconds = [Double](repeating: 0, count: request.machine.devices.count)
        for (name, place) in zip(request.model.unitNames, placement.vision + placement.decoder) {
            let inputs = request.inputs(place.residency == .resident ? .none : streaming)
            let cost = CostModel(inputs, request.machine)
            seconds[place.device] += cost.seconds(name.kind, on: place.device, all.vision)
            seconds[place.device] += cost.seconds(name.kind, on: place.device, all.prefill)
            seconds[place.device] += Double(all.steps) * cost.seconds(name.kind, on: place.device, all.decode)
        }
        return seconds.max() ?? 0
    }
}

extension Planner {
    /// The numbers of a placement that was not searched for, such as one written by hand.
    ///
    /// The plan has no bound; whether it fits is in its devices' headroom.
    /// - Throws: what makes no sense of the request; `.wrongPlacement` for one of another model or machine.
    public static func evaluate(_ placement: Placement, for request: PlanRequest) throws(PlacementError) -> Plan {
        try request.validate()
        let model = request.model
        guard placement.visionLayerCount == model.visionLayerCount,
            placement.decoderLayerCount == model.decoderLayerCount
        else {
            throw .wrongPlacement(
                expected: "\(model.visionLayerCount) vision and \(model.decoderLayerCount) decoder layers",
                got: "\(placement.visionLayerCount) and \(placement.decoderLayerCount)")
        }
        if let device = placement.usedDevices.first(where: { !request.machine.devices.indices.contains($0) }) {
            throw .unknownDevice(index: device, count: request.machine.devices.count, option: "the placement")
        }
        let names = model.unitNames.filter { placement[$0].residency != .resident }
        let source = names.first.map { placement[$0].residency } ?? request.streamingSource
        let streaming = Streaming(UnitKinds(names.map(\.kind)), from: source)
        return PlacementEvaluation(request: request, placement: placement, streaming: streaming).plan
    }
}
