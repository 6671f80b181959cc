extension PlanRequest {
    /// What every device needs for a placement, whether planned or written by hand.
    ///
    /// - Precondition: the placement names devices of the machine and has the model's number of units.
    public func devicePlans(for placement: Placement) -> [DevicePlan] {
        let hops = placement.usedDevices.count > 1
        return machine.devices.indices.map { devicePlan($0, placement, hops: hops) }
    }

    private func devicePlan(_ device: Int, _ placement: Placement, hops: Bool) -> DevicePlan {
        let vision = placement.vision.indices.filter { placement.vision[$0].device == device }
        let decoder = placement.decoder.indices.filter { placement.decoder[$0].device == device }
        let visionNames = UnitName.visionChain(layerCount: model.visionLayerCount)
        let decoderNames = UnitName.decoderChain(layerCount: model.decoderLayerCount)
        let names = vision.map { visionNames[$0] } + decoder.map { decoderNames[$0] }
        let streamed = names.filter { placement[$0].residency != .resident }
        var terms = MemoryTerms()
        if !names.isEmpty {
            let kinds = UnitKinds(names.map(\.kind))
            let inputs = inputs(Streaming(UnitKinds(streamed.map(\.kind)), from: streamingSource))
            terms.weights = byteCount(names) - byteCount(streamed)
            terms.cache = names.count { $0.kind == .decoderLayer } * memory.cachePerLayer(inputs)
            terms.tables = memory.tables(kinds, inputs)
            terms.activations = memory.activations(kinds, inputs)
            terms.logits = memory.logits(kinds, inputs)
            terms.staging = memory.streamBuffers(kinds, inputs) + (hops ? memory.hopBuffers(kinds, inputs) : 0)
            terms.context = machine.devices[device].contextBytes
            terms.margin = machine.devices[device].margin
        }
        terms.others = machine.devices[device].otherBytes
        return DevicePlan(
            index: device, vision: vision, decoder: decoder, streamedUnits: streamed.count,
            streamedBytes: byteCount(streamed), terms: terms, budget: budget(of: device))
    }

    private func byteCount(_ names: [UnitName]) -> Int {
        names.reduce(0) { $0 + model.byteCount($1.kind, precision) }
    }
}
