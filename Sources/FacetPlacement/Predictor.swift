/// Predicts the times of a placement, unit by unit and hop by hop.
struct Predictor {
    let cost: CostModel
    let placement: Placement
    let sequences: Int

    init(_ inputs: MemoryInputs, _ machine: Machine, _ placement: Placement) {
        cost = CostModel(inputs, machine)
        self.placement = placement
        sequences = inputs.workload.sequences
    }

    var prediction: Prediction {
        let one = RequestPhases(cost.inputs, sequences: 1)
        let all = RequestPhases(cost.inputs, sequences: sequences)
        var stages = [Double](repeating: 0, count: cost.machine.devices.count)
        for (name, place) in decoderChain { stages[place.device] += seconds(name, place, all.decode) }
        let perToken = decoderChain.reduce(0) { $0 + seconds($1.0, $1.1, one.decode) }
        return Prediction(
            vision: visionChain.reduce(0) { $0 + seconds($1.0, $1.1, one.vision) },
            prefill: decoderChain.reduce(0) { $0 + seconds($1.0, $1.1, one.prefill) },
            promptHops: visionHopSeconds + decoderHopSeconds(one.prefill),
            secondsPerToken: perToken + decoderHopSeconds(one.decode), decodeStages: stages,
            decodeHops: decoderHopSeconds(all.decode))
    }

    private var visionChain: [(UnitName, UnitPlacement)] {
        Array(zip(UnitName.visionChain(layerCount: placement.visionLayerCount), placement.vision))
    }

    private var decoderChain: [(UnitName, UnitPlacement)] {
        Array(zip(UnitName.decoderChain(layerCount: placement.decoderLayerCount), placement.decoder))
    }

    /// A unit that became resident again is not copied.
    private func seconds(_ name: UnitName, _ place: UnitPlacement, _ phase: Phase) -> Double {
        var inputs = cost.inputs
        if place.residency == .resident { inputs.streaming = .none }
        return CostModel(inputs, cost.machine).seconds(name.kind, on: place.device, phase)
    }

    /// Hops of one request's pictures.
    private var visionHopSeconds: Double {
        let images = Double(cost.inputs.workload.imagesPerSequence)
        var seconds = 0.0
        for (before, after) in zip(placement.vision, placement.vision.dropFirst()) where before.device != after.device {
            seconds += cost.machine.link(from: before.device, to: after.device).seconds(cost.visionMessage)
        }
        if let last = placement.vision.last, let first = placement.decoder.first, last.device != first.device {
            seconds += cost.machine.link(from: last.device, to: first.device).seconds(cost.featureMessage)
        }
        return images * seconds
    }

    private func decoderHopSeconds(_ phase: Phase) -> Double {
        zip(placement.decoder, placement.decoder.dropFirst()).reduce(0) { sum, pair in
            guard pair.0.device != pair.1.device else { return sum }
            return sum + cost.decoderHopSeconds(cost.machine.link(from: pair.0.device, to: pair.1.device), phase)
        }
    }
}
