import FacetPlacement

extension ExplanationReport {
    /// Bytes per token, picture and sequence, and every device's sum.
    static func explanations(_ plan: Plan, _ labels: PlanReport.Labels) -> [ExplanationReport] {
        perItem(plan.request) + plan.devices.filter(\.isUsed).map { perDevice($0, labels.devices[$0.index]) }
    }

    private static func perItem(_ request: PlanRequest) -> [ExplanationReport] {
        let (model, work, decoder) = (request.model, request.workload, request.model.decoder)
        let inputs = request.inputs(.none)
        let perLayer = decoder.cacheByteCount(work.cachePrecision)
        let layers = model.decoderLayerCount
        let rows = model.vision.imageRows
        let feature = rows * decoder.hidden * request.precision.activationByteCount
        return [
            ExplanationReport(
                name: "key/value cache per token", value: PlanText.size(perLayer * layers),
                formula: "\(layers) layers × 2 × \(decoder.groups) groups × \(decoder.headDimension) "
                    + "in \(work.cachePrecision.rawValue)"),
            ExplanationReport(
                name: "key/value cache per picture", value: PlanText.size(perLayer * layers * rows),
                formula: "\(rows) rows × the cache per token"),
            ExplanationReport(
                name: "features per picture", value: PlanText.size(feature),
                formula: "\(rows) rows × \(decoder.hidden) × \(request.precision.activationByteCount) B, kept"),
            ExplanationReport(
                name: "vision activations", value: PlanText.size(request.memory.activations(.vision, inputs)),
                formula:
                    "\(work.imageBatch) × (2 × \(min(work.visionTileRows ?? model.vision.rows, model.vision.rows)) "
                    + "× \(model.vision.intermediate) + 2 × \(model.vision.rows) × \(model.vision.width)) elements"
                    + (work.attention == .materialized ? " and stored scores" : "")),
            ExplanationReport(
                name: "decoder activations", value: PlanText.size(request.memory.activations(.decoder, inputs)),
                formula:
                    "\(work.chunkRows(model)) rows × (3 × \(decoder.intermediate) + 2 × \(decoder.hidden)) elements"
                    + (work.attention == .materialized ? " and stored scores" : "")),
            ExplanationReport(
                name: "logits per sequence",
                value: PlanText.size(request.memory.logits(.decoder, inputs) / max(1, work.sequences)),
                formula: "2 × \(decoder.vocabulary) × 4 B"),
            ExplanationReport(
                name: "cache per sequence", value: PlanText.size(perLayer * layers * work.capacityPerSequence(model)),
                formula: "\(work.capacityPerSequence(model)) rows × the cache per token"),
            ExplanationReport(
                name: "weights", value: PlanText.size(model.byteCount(request.precision)),
                formula: "every unit in \(request.precision)"),
            ExplanationReport(
                name: "read per decode step", value: PlanText.size(model.decodeByteCount(request.precision)),
                formula: "decoder layers, norm and output layer"),
        ]
    }

    private static func perDevice(_ device: DevicePlan, _ name: String) -> ExplanationReport {
        let named = device.terms.named.filter { $0.byteCount > 0 }
        return ExplanationReport(
            name: "\(name) needs", value: PlanText.size(device.terms.total),
            formula: named.map { "\($0.name) \(NumberText.gibibytes($0.byteCount))" }.joined(separator: " + ")
                + " GiB, of \(NumberText.gibibytes(device.budget))")
    }
}
