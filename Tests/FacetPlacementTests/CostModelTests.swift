import FacetPlacement
import Testing

/// Times against figures worked out by hand.
@Suite("Cost model")
struct CostModelTests {
    private func model(
        _ card: String, _ workload: Workload = Workload(), _ streaming: Streaming = .none,
        _ precision: Precision = .bfloat16
    ) throws -> CostModel {
        let inputs = MemoryInputs(
            model: try .fixture(), precision: PrecisionChoice(precision), workload: workload, streaming: streaming)
        let device = try #require(KnownCard.named(card)).profile(contextBytes: 0)
        return CostModel(inputs, Machine(name: "one", devices: [device]))
    }

    private func total(_ cost: CostModel, _ phase: Phase) -> Double {
        UnitKind.allCases.reduce(0) {
            $0 + Double(cost.inputs.model.count(of: $1)) * cost.seconds($1, on: 0, phase)
        }
    }

    @Test("one picture costs 73.3 TFLOP in the layers and 0.7 in the projector")
    func visionOperations() throws {
        let cost = try model("RTX 4090")
        let phase = Phase.vision(images: 1, batch: 1)
        #expect(abs(63 * cost.flops(.visionLayer, phase) / 1e12 - 73.3) < 0.1)
        #expect(abs(cost.flops(.projector, phase) / 1e12 - 0.7) < 0.1)
        #expect(cost.flops(.decoderLayer, phase) == 0)
    }

    @Test("a prompt of 1650 tokens costs about 28 TFLOP")
    func prefillOperations() throws {
        let phase = Phase.prefill(tokens: 1650, chunk: 512)
        #expect(phase.passes == 4)
        #expect(abs(40 * (try model("RTX 4090")).flops(.decoderLayer, phase) / 1e12 - 28) < 1)
    }

    @Test(
        "a decode step takes its bytes over the bandwidth",
        arguments: [("RTX 4090", 17.4), ("RTX 3090", 18.8), ("A10", 29.3), ("T4", 54.9), ("H200", 3.66)])
    func decodeFloor(_ card: String, _ milliseconds: Double) throws {
        let cost = try model(card)
        #expect(abs(1000 * total(cost, .decode(batch: 1, context: 0)) - milliseconds) < 0.1)
    }

    @Test("weights in 8 bits halve the step of the decoder's layers")
    func quantizedDecode() throws {
        let phase = Phase.decode(batch: 1, context: 0)
        let full = try model("RTX 4090").seconds(.decoderLayer, on: 0, phase)
        let half = try model("RTX 4090", Workload(), .none, .float8).seconds(.decoderLayer, on: 0, phase)
        #expect(abs(half / full - 0.5) < 0.01)
    }

    @Test("a streamed vision layer hides behind its computing on a slow card and not on a fast one")
    func streamedVision() throws {
        let phase = Phase.vision(images: 1, batch: 1)
        for (card, isHidden) in [("RTX 3090", true), ("H200", false)] {
            let resident = try model(card).seconds(.visionLayer, on: 0, phase)
            let streamed = try model(card, Workload(), .vision).seconds(.visionLayer, on: 0, phase)
            #expect((streamed == resident) == isHidden, "\(card)")
        }
        let copy = 63 * (try model("H200", Workload(), .vision)).copySeconds(.visionLayer, phase)
        #expect(abs(copy - 0.357) < 0.01)
    }

    @Test("messages: 8 KiB per token, 21.9 MiB and 12.5 MiB per picture")
    func messages() throws {
        let cost = try model("RTX 4090")
        #expect(cost.decoderMessage(rows: 1) == 8192)
        #expect(abs(Double(cost.visionMessage) / 1_048_576 - 21.9) < 0.05)
        #expect(abs(Double(cost.featureMessage) / 1_048_576 - 12.5) < 0.05)
        let link = LinkProfile(latency: 1e-3, bandwidth: 1e9)
        #expect(cost.decoderHopSeconds(link, .prefill(tokens: 1000, chunk: 500)) == 2 * link.seconds(500 * 8192))
    }

    @Test("launches cost their time")
    func launches() throws {
        let inputs = (try model("RTX 4090")).inputs
        let slow = DeviceProfile(
            name: "slow", totalBytes: 1, contextBytes: 0,
            rates: DeviceRates(flops: 1e30, bandwidth: 1e30, launchSeconds: 1))
        let cost = CostModel(inputs, Machine(name: "one", devices: [slow]))
        #expect(abs(cost.seconds(.decoderLayer, on: 0, .decode(batch: 1, context: 1)) - 10) < 1e-6)
    }

    @Test("with several batches in flight the busiest stage decides")
    func microBatches() {
        let prediction = Prediction(
            vision: 0, prefill: 0, promptHops: 0, secondsPerToken: 1, decodeStages: [0.3, 0.5], decodeHops: 0.2)
        #expect(prediction.tokensPerSecond(sequences: 2, microBatches: 1) == 2)
        #expect(prediction.tokensPerSecond(sequences: 2, microBatches: 4) == 4)
    }
}
