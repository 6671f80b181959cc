import FacetPlacement
import FacetTestSupport
import Foundation
import Testing

/// One machine of the reference data: what the libraries decide there, and exact optima.
struct MachineFixture: Decodable, CustomTestStringConvertible {
    struct Machine: Decodable {
        struct Card: Decodable {
            let totalBytes: Int
        }
        let name: String
        let gpus: [Card]
    }
    struct Scenario: Decodable {
        let id: String
        let batch: Int
        let images: Int
        let tokens: Int
        let attn: String
    }
    struct Case: Decodable {
        struct Predicted: Decodable {
            struct Need: Decodable {
                let need: Int
                let total: Int
            }
            let scenario: String
            let fits: Bool
            let devices: [String: Need]
        }
        let solver: String
        let policy: String
        let offloadedBytes: Int
        let decodeWeightBytes: [String: Int]
        let blocksSplitAcrossDevices: [String]
        let predicted: [Predicted]
    }
    struct Contiguous: Decodable {
        let scenario: String
        let maxNeedOverTotal: Double
        let fits: Bool
    }
    struct TwoChain: Decodable {
        let scenario: String
        let objective: String
        let feasible: Bool
        let value: Double?
    }

    let machine: Machine
    let scenarios: [Scenario]
    let cases: [Case]
    let exactContiguous: [Contiguous]
    let exactTwoChain: [TwoChain]

    var testDescription: String { machine.name }

    /// The folder of reference data: that of `FACET_FIXTURES` where it has placements, else the package's own.
    static let folder: URL = {
        let own = FixtureFolder.path("placement")
        guard let other = ProcessInfo.processInfo.environment["FACET_FIXTURES"] else { return own }
        let folder = URL(fileURLWithPath: other).appendingPathComponent("placement")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : own
    }()

    /// Every machine file found.
    static let all: [MachineFixture] = {
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        let machines = files.filter { $0.pathExtension == "json" && $0.lastPathComponent != "units.json" }
        return machines.sorted { $0.path < $1.path }.compactMap { file in
            guard let data = try? Data(contentsOf: file) else { return nil }
            return try? snakeCaseDecoder().decode(MachineFixture.self, from: data)
        }
    }()

    /// How many files should decode.
    static let fileCount = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .count { $0.hasSuffix(".json") && $0 != "units.json" }
}

/// The units of the reference data.
struct UnitFixture: Decodable {
    struct Entry: Decodable {
        let unit: String
        let bytesBf16: Int
        let linearShapes: [[Int]]
        let linearParams: Int
        let otherBytes: Int
    }
    let totalBytesBf16: Int
    let parameters: Int
    let kvBytesPerTokenPerLayerBf16: Int
    let units: [Entry]

    static func load() throws -> UnitFixture {
        let data = try Data(contentsOf: MachineFixture.folder.appendingPathComponent("units.json"))
        return try snakeCaseDecoder().decode(UnitFixture.self, from: data)
    }
}

extension ModelDescription {
    /// The published model, from the reference data's units.
    static func fixture() throws -> ModelDescription {
        let units = try UnitFixture.load().units
        func unit(_ name: String) -> PlacementUnit {
            guard let entry = units.first(where: { $0.unit == name }) else { return PlacementUnit(otherElements: 0) }
            return PlacementUnit(
                linears: entry.linearShapes.map { LinearShape(outputs: $0[0], inputs: $0[1]) },
                otherElements: entry.otherBytes / 2)
        }
        let names = [
            "vision.patch_embedding", "vision.layers.0", "vision.projector", "embedding", "decoder.layers.0",
            "final_norm", "output_layer",
        ]
        return ModelDescription(
            units: PerKind { unit(names[$0.rawValue]) }, visionLayerCount: 63, decoderLayerCount: 40,
            vision: VisionWidths(
                rows: 6401, width: 1792, heads: 16, intermediate: 15360, patchElements: 588, imageRows: 1602),
            decoder: DecoderWidths(
                hidden: 4096, intermediate: 13696, heads: 32, groups: 2, headDimension: 128, vocabulary: 151_552),
            tokenLimit: 8192 + 1600)
    }
}

/// The reference data's formulas: whole prompts, 16-bit activations, one block per phase, 1024 bytes per token and layer.
struct FixtureMemory: MemoryModel {
    let scenario: MachineFixture.Scenario

    func cachePerLayer(_ inputs: MemoryInputs) -> Int { 1024 * scenario.batch * scenario.tokens }

    func tables(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }

    func activations(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        let stored = scenario.attn != "fused"
        let (rows, width, tokens) = (6401, 1792, scenario.tokens)
        let scores = stored ? 2 * 16 * rows * rows : 0
        let vision = scenario.images * max(2 * rows * 15360 + 2 * rows * width, 5 * rows * width + scores) * 2
        let attention = tokens * (4608 + 2 * 4096) + (stored ? 2 * 32 * tokens * tokens : 0)
        let text = scenario.batch * max(tokens * (3 * 13696 + 2 * 4096), attention) * 2
        return max(kinds.hasVision ? vision : 0, kinds.contains(.decoderLayer) ? text : 0)
    }

    func logits(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int {
        kinds.contains(.outputLayer) ? scenario.batch * 151_552 * 8 : 0
    }

    func hopBuffers(_ kinds: UnitKinds, _ inputs: MemoryInputs) -> Int { 0 }
}

extension MachineFixture {
    /// The request of a scenario; equal rates, so that decode times are bytes.
    func request(_ scenario: Scenario, _ objective: Objective, cards: [Int]? = nil) throws -> PlanRequest {
        let totals = (cards ?? Array(machine.gpus.indices)).map { machine.gpus[$0].totalBytes }
        let rates = DeviceRates(flops: 1e18, bandwidth: 1e9)
        let devices = totals.map {
            DeviceProfile(name: "card", totalBytes: $0, contextBytes: 512 << 20, marginBytes: 0, rates: rates)
        }
        return PlanRequest(
            model: try ModelDescription.fixture(), precision: PrecisionChoice(.bfloat16),
            workload: Workload(sequences: scenario.batch, textTokens: 0, newTokens: 0),
            machine: FacetPlacement.Machine(name: machine.name, devices: devices), objective: objective,
            memory: FixtureMemory(scenario: scenario))
    }

    /// The smallest fraction that either exact search states for a scenario.
    func bestFraction(_ scenario: Scenario) -> Double {
        let contiguous = exactContiguous.filter { $0.scenario == scenario.id }.map(\.maxNeedOverTotal)
        let twoChain = exactTwoChain.filter { $0.scenario == scenario.id && $0.objective == "fraction" }
        return (contiguous + twoChain.compactMap(\.value)).min() ?? .infinity
    }
}

/// A decoder for the reference data's names.
func snakeCaseDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
}
