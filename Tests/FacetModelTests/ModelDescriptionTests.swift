import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

/// What planning is told of a configuration.
@Suite("Model description")
struct ModelDescriptionTests {
    private struct Units: Decodable {
        struct Entry: Decodable {
            let unit: String
            let bytesBf16: Int
            let linearShapes: [[Int]]
            let otherBytes: Int
        }
        let units: [Entry]
        let totalBytesBf16: Int
    }

    @Test("the published model's units are the reference's, byte for byte and shape for shape")
    func published() throws {
        let data = try Data(contentsOf: FixtureFolder.path("placement/units.json"))
        let reference = try snakeCaseDecoder().decode(Units.self, from: data)
        let model = try GLM4VConfiguration.glm4v9b.modelDescription()
        #expect(model.unitNames.map(\.description) == reference.units.map(\.unit))
        for (name, entry) in zip(model.unitNames, reference.units) {
            let unit = model.units[name.kind]
            #expect(unit.byteCount(.bfloat16) == entry.bytesBf16, "\(name)")
            #expect(2 * unit.otherElements == entry.otherBytes, "\(name)")
            #expect(Set(unit.linears.map { [$0.outputs, $0.inputs] }) == Set(entry.linearShapes), "\(name)")
            #expect(unit.linears.count == entry.linearShapes.count, "\(name)")
        }
        #expect(model.byteCount(PrecisionChoice(.bfloat16)) == reference.totalBytesBf16)
    }

    @Test("the engine's memory model of everything on one device is what the engine allocates")
    func engineMemory() throws {
        let configuration = GLM4VConfiguration.glm4v9b
        let model = try configuration.modelDescription()
        let memory = EngineMemory(configuration, dtype: .bfloat16)
        for (sequences, chunk) in [(1, 512), (4, 128)] {
            let workload = Workload(sequences: sequences, textTokens: 100, newTokens: 300, prefillChunk: chunk)
            let inputs = MemoryInputs(model: model, precision: PrecisionChoice(.bfloat16), workload: workload)
            let terms = memory.limits(inputs).byteCounts(configuration: configuration, dtype: .bfloat16)
            let table = MemoryTable(memory, inputs).terms(
                .all, visionLayers: model.visionLayerCount, decoderLayers: model.decoderLayerCount, hops: false)
            #expect(table.total - table.weights == terms.reduce(0) { $0 + $1.byteCount })
        }
    }

    @Test("a huge number of sequences is refused, not crashed on")
    func hugeWorkload() throws {
        let configuration = GLM4VConfiguration.glm4v9b
        let request = PlanRequest(
            model: try configuration.modelDescription(), precision: PrecisionChoice(.bfloat16),
            workload: Workload(sequences: 1 << 20),
            machine: Machine(
                name: "one", devices: [try #require(KnownCard.named("H200")).profile(contextBytes: 0)]),
            memory: EngineMemory(configuration, dtype: .bfloat16))
        #expect(throws: PlacementError.self) { try Planner.plan(request) }
    }
}

/// A decoder for the reference data's names.
private func snakeCaseDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
}
