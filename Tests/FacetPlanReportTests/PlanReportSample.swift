import FacetPlacement
import FacetPlanReport

/// A plan made by hand: two unlike cards, vision cut once, one unit streamed, an unused third card.
enum PlanReportSample {
    static let report = PlanReport(
        model: "GLM-4V-9B", precision: "bfloat16",
        workload: WorkloadReport(
            sequences: 2, imagesPerSequence: 1, textTokens: 48, newTokens: 256, capacityTokens: 1906, chunkTokens: 512,
            attention: "fused"),
        objective: "balanced", policy: "auto", machine: "RTX 4090 + RTX 3060", devices: devices,
        hops: [
            HopReport(
                kind: .vision, source: 1, target: 0, unit: "vision.layers.30", byteCount: 22_942_000, seconds: 0.0018),
            HopReport(
                kind: .splice, source: 0, target: 1, unit: "embedding", byteCount: 13_123_584, seconds: 0.0011),
            HopReport(
                kind: .decoder, source: 1, target: 0, unit: "decoder.layers.9", byteCount: 16_384, seconds: 0.000012),
        ],
        prediction: PredictionReport(
            firstTokenSeconds: 0.612, stepSeconds: 0.0192, tokensPerSecond: 104.2, rates: "nominal"),
        bound: BoundReport(quantity: "largest share of a budget", value: 0.8123, bound: 0.8123, unit: ""),
        alternatives: ["vision on one card: its share would be 0.91"],
        changes: ["2 GiB more on cuda:1 would leave vision whole"],
        notes: ["cuda:2 is not used: the plan fits two cards"],
        options: [
            OptionReport(
                name: "tensor parallel over 2", precision: "bfloat16", firstTokenSeconds: 0.4, tokenSeconds: 0.01,
                tokensPerSecond: 170, sequenceCapacity: 40, isExecutable: false)
        ],
        explanations: [
            ExplanationReport(
                name: "key/value cache per token", value: "40 KiB", formula: "40 layers × 2 × 2 groups × 128 × 2 B")
        ],
        deviceMap: ["transformer.vision": "0"])

    private static let devices = [
        DeviceReport(
            name: "cuda:0", card: "RTX 4090", totalByteCount: 24 << 30, budgetByteCount: (24 << 30) - (512 << 20),
            terms: [
                TermReport(.visionWeights, 4_500_000_000), TermReport(.decoderWeights, 13_000_000_000),
                TermReport(.cache, 120_000_000), TermReport(.activations, 439_000_000), TermReport(.logits, 2_500_000),
                TermReport(.staging, 0), TermReport(.context, 512 << 20), TermReport(.margin, 515_000_000),
            ],
            vision: RunReport(Array(31..<65), of: visionChain) { _ in true },
            decoder: RunReport(Array(10..<43), of: decoderChain) { _ in true }, stepSeconds: 0.0129),
        DeviceReport(
            name: "cuda:1", card: "RTX 3060 <12>", totalByteCount: 12 << 30, budgetByteCount: 11 << 30,
            terms: [
                TermReport(.visionWeights, 4_200_000_000), TermReport(.decoderWeights, 5_000_000_000),
                TermReport(.cache, 36_000_000), TermReport(.activations, 439_000_000),
                TermReport(.staging, 271_000_000), TermReport(.context, 512 << 20), TermReport(.margin, 256 << 20),
            ],
            vision: RunReport(Array(0..<31), of: visionChain) { $0 != 30 },
            decoder: RunReport(Array(0..<10), of: decoderChain) { _ in true }, stepSeconds: 0.0063),
        DeviceReport(
            name: "cuda:2", card: "T4", totalByteCount: 16 << 30, budgetByteCount: 15 << 30, terms: [], vision: nil,
            decoder: nil),
    ]

    private static let visionChain = UnitName.visionChain(layerCount: 63)
    private static let decoderChain = UnitName.decoderChain(layerCount: 40)
}
