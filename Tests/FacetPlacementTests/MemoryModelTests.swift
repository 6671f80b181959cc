import FacetPlacement
import Testing

/// Each term of the published memory model against figures worked out by hand.
@Suite("Memory model")
struct MemoryModelTests {
    private let mebibyte = 1 << 20
    private let memory = PublishedMemory()

    private func inputs(_ workload: Workload, _ streaming: Streaming = .none) throws -> MemoryInputs {
        MemoryInputs(
            model: try .fixture(), precision: PrecisionChoice(.bfloat16), workload: workload, streaming: streaming)
    }

    @Test("weights of every precision, scales included")
    func weights() throws {
        let shape = LinearShape(outputs: 300, inputs: 100)
        #expect(Precision.float32.byteCount(of: shape) == 120_000)
        #expect(Precision.bfloat16.byteCount(of: shape) == 60_000)
        #expect(Precision.float16.byteCount(of: shape) == 60_000)
        #expect(Precision.float8.byteCount(of: shape) == 30_000 + 1200)
        #expect(Precision.float8Blocks(side: 128).byteCount(of: shape) == 30_000 + 4 * 3)
        #expect(Precision.int8.byteCount(of: shape) == 30_000 + 1200)
        #expect(Precision.int4(group: 64).byteCount(of: shape) == 15_600 + 2 * 300 * 2)
        #expect(Precision.int4(group: 32, scaleBytes: 4).byteCount(of: shape) == 15_600 + 4 * 300 * 4)
        let unit = PlacementUnit(linears: [shape], otherElements: 7)
        #expect(unit.byteCount(.int8) == 31_200 + 14)
        #expect(unit.byteCount(.float32) == 120_000 + 28)
        let model = try ModelDescription.fixture()
        let gibibytes = { (precision: Precision) in Double(model.byteCount(PrecisionChoice(precision))) / 1_073_741_824
        }
        // With embedding and output layer in 16 bits.
        #expect(abs(gibibytes(.float8) - 14.1) < 0.1)
        #expect(abs(gibibytes(.int4(group: 64)) - 8.6) < 0.5)
    }

    @Test("keys and values: 1 KiB per token and layer, 320 MiB for 8192 tokens, whole pages")
    func cache() throws {
        let workload = Workload(imagesPerSequence: 1, textTokens: 0, newTokens: 8192 - 1602)
        #expect(40 * memory.cachePerLayer(try inputs(workload)) == 320 * mebibyte)
        let odd = Workload(sequences: 3, imagesPerSequence: 0, textTokens: 17, newTokens: 0, pageSize: 16)
        #expect(memory.cachePerLayer(try inputs(odd)) == 3 * 32 * 1024)
        var bytes = odd
        bytes.cachePrecision = .float8
        #expect(memory.cachePerLayer(try inputs(bytes)) == 3 * 32 * 2 * 2 * (128 + 4))
    }

    @Test("vision activations: 419 MiB, 138 MiB in four tiles, 1.22 GiB more for each stored score matrix")
    func visionActivations() throws {
        let whole = memory.visionActivations(try inputs(Workload(visionTileRows: nil)))
        #expect(whole / mebibyte == 418)
        let tiled = memory.visionActivations(try inputs(Workload(visionTileRows: 1601)))
        #expect(tiled / mebibyte == 137)
        let stored = memory.visionActivations(try inputs(Workload(attention: .materialized, visionTileRows: nil)))
        #expect(stored - whole == 2 * 16 * 6401 * 6401 * 2)
        let two = memory.visionActivations(try inputs(Workload(visionTileRows: nil, imageBatch: 2)))
        #expect(two == 2 * whole)
        #expect(memory.visionActivations(try inputs(Workload(imagesPerSequence: 0))) == 0)
    }

    @Test("decoder activations: 96 KiB per row of a chunk")
    func decoderActivations() throws {
        let chunk = memory.decoderActivations(try inputs(Workload(textTokens: 4000, prefillChunk: 2048)))
        #expect(chunk == 2048 * (3 * 13696 + 2 * 4096) * 2)
        #expect(abs(chunk / mebibyte - 192) <= 1)
    }

    @Test("phases share memory: the larger counts, not the sum")
    func phases() throws {
        let inputs = try inputs(Workload())
        let (vision, decoder) = (memory.visionActivations(inputs), memory.decoderActivations(inputs))
        #expect(memory.activations(.all, inputs) == max(vision, decoder))
        #expect(memory.activations(.vision, inputs) == vision)
        #expect(memory.activations(UnitKinds(.outputLayer), inputs) == 0)
    }

    @Test("logits: 1.2 MiB per sampled row, on the output layer's device alone")
    func logits() throws {
        let inputs = try inputs(Workload(sequences: 3))
        #expect(memory.logits(UnitKinds(.outputLayer), inputs) == 3 * 151_552 * 8)
        #expect(memory.logits(UnitKinds([.tokenEmbedding, .decoderLayer]), inputs) == 0)
    }

    @Test("staging: twice the largest streamed unit, twice the largest message")
    func staging() throws {
        let streamed = try inputs(Workload(), .vision)
        let projector = streamed.model.byteCount(.projector, streamed.precision)
        let layer = streamed.model.byteCount(.visionLayer, streamed.precision)
        #expect(memory.streamBuffers(.all, streamed) == 2 * projector)
        #expect(memory.streamBuffers(UnitKinds(.visionLayer), streamed) == 2 * layer)
        #expect(memory.streamBuffers(.decoder, streamed) == 0)
        #expect(memory.hopBuffers(.vision, streamed) == 2 * 6401 * 1792 * 2)
        #expect(memory.hopBuffers(UnitKinds(.decoderLayer), streamed) == 2 * 512 * 4096 * 2)
    }

    @Test("context, others and margin are the device's, and caps and free bytes lower what it may use")
    func deviceTerms() throws {
        var device = DeviceProfile(
            name: "card", totalBytes: 40 << 30, freeBytes: 30 << 30, contextBytes: 300 << 20,
            rates: DeviceRates(flops: 1e14, bandwidth: 1e12))
        #expect(device.margin == (40 << 30) / 50)
        device.marginBytes = 1 << 30
        var request = PlanRequest(
            model: try .fixture(), precision: PrecisionChoice(.bfloat16), workload: Workload(),
            machine: Machine(name: "one", devices: [device]))
        let terms = request.devicePlans(for: .single(visionLayers: 63, decoderLayers: 40))[0].terms
        #expect(terms.others == 10 << 30)
        #expect(terms.context == 300 << 20)
        #expect(terms.margin == 1 << 30)
        #expect(terms.total == terms.named.reduce(0) { $0 + $1.byteCount })
        let allocated = terms.allocated
        request.caps = [0: allocated]
        #expect(try Planner.plan(request).smallestHeadroom == 0)
        request.caps = [0: allocated - 1]
        #expect(outcome(request).refusal?.deficitPerDevice == 1)
    }

    @Test("more kinds of units never need less")
    func monotone() throws {
        let inputs = try inputs(Workload(sequences: 2, attention: .materialized), .vision)
        let sets = (0..<128).map { UnitKinds(rawValue: UInt8($0)) }
        for set in sets {
            for other in sets where other.isSuperset(of: set) {
                #expect(memory.activations(set, inputs) <= memory.activations(other, inputs))
                #expect(memory.tables(set, inputs) <= memory.tables(other, inputs))
                #expect(memory.logits(set, inputs) <= memory.logits(other, inputs))
                #expect(memory.hopBuffers(set, inputs) <= memory.hopBuffers(other, inputs))
                #expect(memory.streamBuffers(set, inputs) <= memory.streamBuffers(other, inputs))
            }
        }
    }
}
