public import FacetPlacement

extension RefusalReport {
    /// Reports a refusal with the options that carry out its remedies.
    public init(_ refusal: Refusal) {
        self.init(
            reason: refusal.description, deficitBytes: refusal.deficitPerDevice,
            remedies: refusal.remedies.map { remedy in
                Remedy(
                    change: Self.option(remedy.kind),
                    deficitBytes: remedy.fits ? 0 : remedy.deficitPerDevice, cost: Self.cost(remedy))
            })
    }

    private static func option(_ kind: FacetPlacement.Remedy.Kind) -> String {
        switch kind {
        case .smallerChunks(let prefill, let tile): "--chunk \(prefill) --vision-tile \(tile)"
        case .fewerTokens(let count): "--new-tokens \(count)"
        case .fewerSequences(let count): "--sequences \(count)"
        case .quantizedCache(let precision): "--cache-dtype \(precision.rawValue)"
        case .streamedVision: "--place vision=stream"
        case .quantizedWeights(let choice): "--dtype \(PrecisionText.option(choice))"
        case .streamedDecoder: "--place vision=stream,decoder=stream"
        }
    }

    private static func cost(_ remedy: FacetPlacement.Remedy) -> String {
        guard let first = remedy.timeToFirstToken, let token = remedy.secondsPerToken else { return "–" }
        return "first token \(NumberText.seconds(first)), \(NumberText.seconds(token)) per token"
    }
}
