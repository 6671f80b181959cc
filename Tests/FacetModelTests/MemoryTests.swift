import FacetModel
import FacetTensor
import Testing

@Suite("Memory")
struct MemoryTests {
    @Test("the published tower runs in bfloat16 under 0.6 GiB of activations")
    func publishedTower() {
        let limits = ModelLimits(configuration: .glm4v9b)
        let vision = WorkspaceLayout(.glm4v9b, limits, .bfloat16).vision
        #expect(Double(vision.byteCount) < 0.6 * Double(1 << 30))
        // Rows, three times rows, rows, and two tiles of 512 rows.
        let expected = 2 * (6401 * 1792 * 5 + 512 * (1792 + 15360))
        #expect(vision.byteCount == expected)
        #expect(vision.wide.shape == [512, 15360])
    }

    @Test("buffers of one phase do not overlap and lie inside the workspace")
    func buffersAreApart() throws {
        let configuration = try TinyConfiguration.parsed()
        let limits = ModelLimits(maxRows: 7, maxSequences: 3, pageSize: 4, pageCount: 9, visionTileRows: 5)
        let layout = WorkspaceLayout(configuration, limits, .bfloat16)
        let (decoder, vision) = (layout.decoder, layout.vision)
        let phases = [
            [
                decoder.hidden, decoder.normalized, decoder.projection, decoder.query, decoder.attended,
                decoder.gateUp, decoder.narrow, decoder.sampled, decoder.logits, decoder.integers,
            ],
            [vision.hidden, vision.patches, vision.pixels],
            [vision.hidden, vision.projection, vision.attended, vision.branch, vision.wide],
            [vision.hidden, vision.neighborhoods, vision.convolved, vision.entered, vision.gate, vision.up],
        ]
        for phase in phases {
            var end = 0
            for buffer in phase {
                #expect(buffer.byteOffset >= end, "\(buffer.name)")
                #expect(buffer.byteOffset % Storage.alignment == 0, "\(buffer.name)")
                end = buffer.byteOffset + buffer.byteCount
            }
            #expect(end <= layout.byteCount)
        }
    }

    @Test("a quantized cache takes a byte an element and four a head, as promised")
    func quantizedCache() throws {
        let configuration = try TinyConfiguration.parsed()
        let limits = ModelLimits(pageSize: 4, pageCount: 9, quantizesCache: true)
        let terms = limits.byteCounts(configuration: configuration, dtype: .bfloat16)
        let backend = CountingBackend(try CPUBackend(threadCount: 1))
        let cache = try KVCache(configuration, limits: limits, dtype: .bfloat16, backend: backend)
        let count = backend.takeCount()
        #expect(count == 2 * 2 * 9 * 4 * 2 * (8 + 4))
        #expect(terms.first { $0.name == "key/value cache" }?.byteCount == count)
        #expect(cache[0].isQuantized)
    }

    @Test("the promised bytes are the allocated bytes")
    func promiseIsKept() throws {
        let configuration = try TinyConfiguration.parsed()
        let limits = ModelLimits(maxRows: 8, maxSequences: 2, pageSize: 4, pageCount: 9, maxImages: 3)
        let terms = limits.byteCounts(configuration: configuration, dtype: .bfloat16)
        let bytes = Dictionary(uniqueKeysWithValues: terms.map { ($0.name, $0.byteCount) })
        let backend = CountingBackend(try CPUBackend(threadCount: 1))
        _ = try Workspace(configuration, limits: limits, dtype: .bfloat16, backend: backend)
        #expect(backend.takeCount() == bytes["workspace"])
        let cache = try KVCache(configuration, limits: limits, dtype: .bfloat16, backend: backend)
        #expect(backend.takeCount() == bytes["key/value cache"])
        #expect(bytes["key/value cache"] == 2 * 2 * 9 * 4 * 2 * 8 * 2)
        #expect(cache[1].keys.shape == [9, 4, 2, 8])
        _ = try FeatureStore(configuration, limits: limits, dtype: .bfloat16, backend: backend)
        #expect(backend.takeCount() == bytes["picture features"])
        _ = try RotaryEmbedding.table(configuration, on: backend)
        #expect(backend.takeCount() == bytes["rotary table"])
    }

    @Test("a conversation of the published model needs 40,960 bytes of cache per token")
    func publishedCache() {
        let limits = ModelLimits(configuration: .glm4v9b, tokenCount: 1600)
        let terms = limits.byteCounts(configuration: .glm4v9b, dtype: .bfloat16)
        #expect(terms.first { $0.name == "key/value cache" }?.byteCount == 1600 * 40960)
        #expect(ModelLimits(configuration: .glm4v9b).slotCount == 8192 + 1600)
    }

    @Test("places for pictures are given out, found again and given back")
    func featurePlaces() throws {
        let configuration = try TinyConfiguration.parsed()
        let limits = ModelLimits(pageCount: 1, maxImages: 2)
        let store = try FeatureStore(
            configuration, limits: limits, dtype: .float32, backend: try CPUBackend(threadCount: 1))
        let (a, b, c) = (ImageID(1), ImageID(2), ImageID(3))
        let place = try store.reserve(a)
        #expect(place.shape == [6, 24])
        #expect(try store.reserve(a).address == place.address)
        #expect(try store.reserve(b).address != place.address)
        #expect(throws: ModelError.noFeatureSlot(limit: 2)) { try store.reserve(c) }
        store.release(a)
        #expect(store[a] == nil)
        #expect(try store.reserve(c).address == place.address)
        #expect(store.count == 2)
    }

    @Test("frequencies follow the ratio, which multiplies the base")
    func rotaryFrequencies() throws {
        let configuration = try TinyConfiguration.parsed(["kv_channels": 16, "rope_ratio": 500])
        let frequencies = RotaryEmbedding.frequencies(configuration)
        #expect(frequencies.count == 4)
        for (pair, frequency) in frequencies.enumerated() {
            let exact = 1 / (5_000_000.0).squareRoot().squareRoot().power(pair)
            #expect(abs(Double(frequency) / exact - 1) < 1e-6)
        }
    }

    @Test("the table holds the cosine and sine of each position's angle")
    func rotaryTable() throws {
        let model = try TinyModel()
        let table = try RotaryEmbedding.table(model.configuration, on: model.backend)
        #expect(table.cosines.shape == [256, 2])
        let cosines = try model.floats(table.cosines)
        let sines = try model.floats(table.sines)
        for index in cosines.indices {
            #expect(abs(cosines[index] * cosines[index] + sines[index] * sines[index] - 1) < 1e-6)
        }
        #expect((cosines[0], sines[0]) == (1, 0))
        // Position 3: angles 3 and 3 · 10000^(-1/2) = 0.03.
        #expect(abs(cosines[6] - -0.98999250) < 1e-6)
        #expect(abs(sines[7] - 0.02999550) < 1e-6)
    }
}

extension Double {
    fileprivate func power(_ exponent: Int) -> Double { (0..<exponent).reduce(1) { product, _ in product * self } }
}
