import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetQuantization
import FacetTensor
import FacetTestSupport
import Foundation
import Synchronization
import Testing

/// A source that changes what another one says.
final class AlteredSource: WeightSource {
    let base: any WeightSource
    let location = "altered weights"
    let removed: Set<String>
    let added: [String]
    let stored: [String: StoredTensor]
    let replaced: [String: Tensor]
    let advice = Mutex<[(MemoryAdvice, [String])]>([])

    init(
        _ base: any WeightSource, removed: Set<String> = [], added: [String] = [],
        stored: [String: StoredTensor] = [:], replaced: [String: Tensor] = [:]
    ) {
        self.base = base
        self.removed = removed
        self.added = added
        self.stored = stored
        self.replaced = replaced
    }

    var tensorNames: [String] { base.tensorNames.filter { !removed.contains($0) } + added }
    var byteCount: Int { base.byteCount }

    func stored(_ name: String) -> StoredTensor? {
        removed.contains(name) ? nil : stored[name] ?? base.stored(name)
    }

    func tensor(named name: String) throws(CheckpointError) -> Tensor {
        if let tensor = replaced[name] { return tensor }
        return try base.tensor(named: name)
    }

    func advise(_ advice: MemoryAdvice, tensors names: [String]) {
        self.advice.withLock { $0.append((advice, names)) }
    }
}

@Suite("Weights")
struct WeightsTests {
    private let gateUp = "transformer.encoder.layers.1.mlp.dense_h_to_4h.weight"

    @Test("the published model has 1053 tensors and 13,906,320,896 parameters")
    func publishedInventory() throws {
        let inventory = try ModelInventory(.glm4v9b)
        #expect(inventory.declarations.count == 1053)
        #expect(inventory.parameterCount == 13_906_320_896)
        let counts = Dictionary(grouping: inventory.declarations, by: \.unit.part)
            .mapValues { $0.reduce(0) { $0 + $1.shape.elementCount } }
        #expect(counts[.decoderLayers] == 8_158_433_280)
        #expect(counts[.visionLayers] == 4_279_387_392)
        #expect(counts[.patchEmbedding] == 12_527_872)
        #expect(counts[.projector] == 214_454_272)
        #expect((counts[.tokenEmbedding] ?? 0) + (counts[.outputLayer] ?? 0) == 1_241_518_080)
    }

    @Test("the tiny checkpoint holds exactly what its configuration calls for")
    func tinyCheckpoint() throws {
        let folder = FixtureFolder.path("glm4v-tiny")
        let bytes = try FileContents.bytes(of: folder.appendingPathComponent("config.json").path, limit: 1 << 20)
        let configuration = try GLM4VConfiguration(parsing: bytes)
        let checkpoint = try Checkpoint(folder: folder.path)
        let report = InventoryReport(try ModelInventory(configuration), checkpoint)
        #expect(throws: Never.self) { try report.check() }
        // One tensor, the frequencies, belongs to no part.
        #expect(report.parts.reduce(0) { $0 + $1.tensorCount } == checkpoint.tensors.count - 1)
        #expect(report.parts.allSatisfy { Array($0.byteCountByDType.keys) == ["BF16"] })
        #expect(report.parts.reduce(0) { $0 + $1.byteCount } == checkpoint.byteCount - 8)
    }

    @Test("every missing tensor is listed")
    func listsMissing() throws {
        let norm = "transformer.encoder.final_layernorm.weight"
        let source = AlteredSource(try random(), removed: [gateUp, norm])
        expectLoading(source, .missingTensors(names: [gateUp, norm], source: source.location))
    }

    @Test("an unexpected tensor is refused by name")
    func refusesUnexpected() throws {
        let source = AlteredSource(try random(), added: ["transformer.prefix_encoder.weight"])
        expectLoading(
            source, .unexpectedTensors(names: ["transformer.prefix_encoder.weight"], source: source.location))
    }

    @Test("the stored rotary frequencies are ignored")
    func ignoresFrequencies() throws {
        let source = AlteredSource(try random(), added: ["transformer.rotary_pos_emb.inv_freq"])
        #expect(throws: Never.self) { try TinyModel(source: source) }
    }

    @Test("side tensors of quantization are refused as such", arguments: ["weight_scale", "qweight", "SCB"])
    func refusesQuantized(suffix: String) throws {
        let name = "transformer.encoder.layers.0.mlp.dense_h_to_4h." + suffix
        let source = AlteredSource(try random(), removed: [gateUp], added: [name])
        expectLoading(source, .quantizedTensors(names: [name], source: source.location))
    }

    @Test("another shape is refused with tensor, file, expected and got")
    func refusesShape() throws {
        let stored = StoredTensor(shape: [40, 24], dtypeName: "BF16", dtype: .bfloat16, byteCount: 1920, file: "a.bin")
        let source = AlteredSource(try random(), stored: [gateUp: stored])
        expectLoading(source, .shapeMismatch(tensor: gateUp, file: "a.bin", expected: [80, 24], got: [40, 24]))
    }

    @Test("integer elements are refused")
    func refusesIntegers() throws {
        let stored = StoredTensor(shape: [80, 24], dtypeName: "I8", dtype: nil, byteCount: 1920, file: "a.bin")
        let source = AlteredSource(try random(), stored: [gateUp: stored])
        expectLoading(source, .unsupportedWeightDType(tensor: gateUp, file: "a.bin", got: "I8"))
    }

    @Test("the cursor names the full path in its errors")
    func cursorNamesPath() throws {
        let weights = Weights(WeightLoader(try random(), onto: try CPUBackend(threadCount: 1)))
        let layer = weights["encoder"]["layers"][1]
        #expect(
            throws: ModelError.missingTensors(
                names: ["transformer.encoder.layers.1.mlp.up.weight"], source: "random weights")
        ) { try layer["mlp"].linear("up", outputs: 4, inputs: 4) }
        #expect(
            throws: ModelError.shapeMismatch(
                tensor: gateUp, file: "random weights", expected: [80, 23], got: [80, 24])
        ) { try layer["mlp"].linear("dense_h_to_4h", outputs: 80, inputs: 23) }
        #expect(try layer["mlp"].linear("dense_h_to_4h", outputs: 80, inputs: 24).outputs == 80)
    }

    @Test("the model computes in float32 or bfloat16 only")
    func refusesActivationDType() {
        #expect(throws: ModelError.unsupportedActivationDType(.float16)) { try TinyModel(dtype: .float16) }
    }

    @Test("random weights are the same for the same seed and differ between tensors")
    func randomWeights() throws {
        let configuration = try TinyConfiguration.parsed()
        let (a, b) = (try RandomWeights(configuration, seed: 3), try RandomWeights(configuration, seed: 3))
        let bytes = { (source: RandomWeights, name: String) in
            let tensor = try source.tensor(named: name)
            return Array(UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount))
        }
        #expect(try bytes(a, gateUp) == bytes(b, gateUp))
        let other = gateUp.replacing("layers.1", with: "layers.0")
        #expect(try bytes(a, gateUp) != bytes(a, other))
        #expect(a.byteCount == a.tensorNames.compactMap { a.stored($0)?.byteCount }.reduce(0, +))
    }

    @Test(
        "random weights of a quantized configuration are codes and scales of the same range",
        arguments: [(Precision.float8, Float(448)), (.int8, 127), (.int4(group: 8), 7)])
    func randomCodes(_ precision: Precision, _ largest: Float) throws {
        let configuration = try #require(try TinyConfiguration.parsed().quantized(PrecisionChoice(precision)))
        let source = try RandomWeights(configuration)
        let inventory = try ModelInventory(configuration)
        try InventoryReport(inventory, source).check()
        let name = gateUp.replacing(".weight", with: "")
        let isPacked = source.stored(name + ".weight_packed") != nil
        let codes = try source.tensor(named: name + (isPacked ? ".weight_packed" : ".weight"))
        let scales = try source.tensor(named: name + ".weight_scale")
        let bytes = UnsafeRawBufferPointer(start: codes.address, count: codes.byteCount)
        let values: [Float] =
            switch precision {
            case .float8: bytes.map(Float8.value(of:))
            case .int8: bytes.map { Float(Int8(bitPattern: $0)) }
            default: bytes.flatMap { [Float($0 & 15) - 8, Float($0 >> 4) - 8] }
            }
        #expect(values.max() == largest && values.min() == -largest)
        #expect(abs(values.reduce(0, +) / Float(values.count)) < largest / 10)
        // Uniform weights up to the root of 3 over the inputs keep the variance of what they are multiplied with.
        let scale =
            scales.dtype == .float32
            ? scales.address.load(as: Float.self)
            : Float(bitPattern: UInt32(scales.address.load(as: UInt16.self)) << 16)
        #expect(abs(scale * largest / (3 / Float(24)).squareRoot() - 1) < 0.01)
    }

    private func random() throws -> RandomWeights { try RandomWeights(TinyConfiguration.parsed()) }

    private func expectLoading(_ source: AlteredSource, _ expected: ModelError) {
        #expect(throws: expected) { try TinyModel(source: source) }
    }
}
