extension Planner {
    /// The numbers of a placement that a person has made.
    ///
    /// Nothing is moved, and nothing is refused for its size: a device whose headroom is negative lacks so many bytes.
    /// The bound is the planner's own best for the same request, where there is one.
    /// - Throws: for a request that makes no sense.
    /// - Precondition: the placement is one of the request's model on its machine.
    public static func evaluate(_ placement: Placement, _ request: PlanRequest) throws(PlacementError) -> Plan {
        try request.validate()
        precondition(
            placement.visionLayerCount == request.model.visionLayerCount
                && placement.decoderLayerCount == request.model.decoderLayerCount
                && placement.usedDevices.allSatisfy(request.machine.devices.indices.contains),
            "the placement is one of this model on this machine")
        var request = request
        let places = zip(request.model.unitNames, placement.vision + placement.decoder)
        let streamed = places.filter { $0.1.residency != .resident }
        request.streamingSource = streamed.first?.1.residency ?? .host
        let streaming = Streaming(UnitKinds(streamed.map(\.0.kind)), from: request.streamingSource)
        let devices = request.devicePlans(for: placement)
        let prediction = Predictor(request.inputs(streaming), request.machine, placement).prediction
        let value = request.value(devices, prediction)
        let best = try? plan(request).bound
        return Plan(
            request: request, placement: placement, devices: devices, prediction: prediction, value: value,
            bound: best ?? PlanBound(fluid: 0, searched: value, resolution: 0), streaming: streaming)
    }
}

extension PlanRequest {
    /// The objective's value of a placement; of rounds, the busiest device's decode steps alone are counted.
    fileprivate func value(_ devices: [DevicePlan], _ prediction: Prediction) -> Double {
        let slowest = prediction.decodeStages.max() ?? 0
        switch objective {
        case .balanced: return devices.filter(\.isUsed).map(\.fraction).max() ?? 0
        case .latency: return prediction.timeToFirstToken + Double(workload.newTokens) * prediction.secondsPerToken
        case .decode: return slowest
        case .throughput: return Double(workload.newTokens) * slowest
        case .context: return Double(workload.promptTokens(model) + workload.newTokens)
        case .fewest: return Double(devices.count(where: \.isUsed))
        }
    }
}
