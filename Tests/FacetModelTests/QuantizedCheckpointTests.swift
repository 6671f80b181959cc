import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetQuantization
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

@Suite("Quantized checkpoints")
struct QuantizedCheckpointTests {
    private static let gateUp = "transformer.encoder.layers.1.mlp.dense_h_to_4h"

    /// A `quantization_config` with one group of one module.
    private static func recipe(
        _ weights: [String: Any], targets: [String] = [gateUp], method: String = "compressed-tensors",
        format: String = "pack-quantized"
    ) -> [String: Any?] {
        let group: [String: Any] = ["targets": targets, "weights": weights]
        return [
            "quantization_config": ["quant_method": method, "format": format, "config_groups": ["group_0": group]]
        ]
    }

    private static var int4: [String: Any] {
        ["num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 8]
    }

    /// A source that holds the codes of `gateUp`, 80 × 24, by the convention: eight codes plus 8 in a word, lowest
    /// bits first, and the numbers that they stand for.
    private func packed(
        scale: (Int) -> Float = { 0.01 * Float(1 + $0 % 5) }
    ) throws -> (source: AlteredSource, weights: [Float]) {
        let codes = (0..<80 * 24).map { (index: Int) -> Int in (index * 37 + index / 24) % 16 - 8 }
        let words = (0..<80 * 3).map { (word: Int) -> UInt32 in
            var bits: UInt32 = 0
            for place in 0..<8 { bits |= UInt32(codes[word * 8 + place] + 8) << UInt32(4 * place) }
            return bits
        }
        let scales = (0..<80 * 3).map(scale)
        let base = try RandomWeights(TinyConfiguration.parsed(), dtype: .bfloat16, seed: 7)
        let name = Self.gateUp
        let source = AlteredSource(
            base, removed: [name + ".weight"],
            added: [".weight_packed", ".weight_scale", ".weight_shape"].map { name + $0 },
            stored: [
                name + ".weight_packed": Self.stored([80, 3], "I32", .int32, 4),
                name + ".weight_scale": Self.stored([80, 3], "F32", .float32, 4),
                name + ".weight_shape": Self.stored([2], "I64", nil, 8),
            ],
            replaced: [
                name + ".weight_packed": try Self.tensor(words, [80, 3], .int32),
                name + ".weight_scale": try Self.tensor(scales, [80, 3], .float32),
            ])
        return (source, codes.indices.map { Float(codes[$0]) * scales[$0 / 8] })
    }

    private static func stored(_ shape: Shape, _ name: String, _ dtype: DType?, _ size: Int) -> StoredTensor {
        StoredTensor(
            shape: shape, dtypeName: name, dtype: dtype, byteCount: shape.elementCount * size, file: "a.safetensors")
    }

    private static func tensor(_ elements: [some BitwiseCopyable], _ shape: Shape, _ dtype: DType) throws -> Tensor {
        let storage = try Storage(allocating: shape.elementCount * dtype.byteCount, label: "test")
        elements.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: storage.base, count: storage.byteCount).copyMemory(from: $0)
        }
        return Tensor(storage, shape: shape, dtype: dtype)
    }

    private func logits(_ source: any WeightSource, _ configuration: GLM4VConfiguration) throws -> [[Float]] {
        let model = try TinyModel(source: source, configuration: configuration)
        return try model.run(model.sequence(TinyModel.ids(11), pages: [0, 1, 2]), chunk: 11)
    }

    @Test("packed codes of the convention are the weights that they stand for")
    func readsPacked() throws {
        let (source, weights) = try packed()
        let name = Self.gateUp + ".weight"
        let dense = AlteredSource(
            source.base, stored: [name: Self.stored([80, 24], "F32", .float32, 4)],
            replaced: [name: try Self.tensor(weights, [80, 24], .float32)])
        let expected = try logits(dense, TinyConfiguration.parsed())
        for target in [Self.gateUp, "re:.*layers\\.1\\.mlp\\.dense_h.*", "Linear"] {
            let configuration = try TinyConfiguration.parsed(Self.recipe(Self.int4, targets: [target]))
            #expect(worstDifference(try logits(source, configuration), expected) < 1e-5, "\(target)")
        }
    }

    @Test("one scale for a whole matrix is read, with one scale per row")
    func readsScalesOfTensor() throws {
        let name = Self.gateUp
        let codes = (0..<80 * 24).map { (index: Int) -> UInt8 in
            UInt8(index * 91 % 126) | (index % 3 == 0 ? 0x80 : 0)
        }
        let numbers = codes.map { Float8.value(of: $0) * 0.0004 }
        let base = try RandomWeights(TinyConfiguration.parsed(), dtype: .bfloat16, seed: 7)
        let dense = AlteredSource(
            base, stored: [name + ".weight": Self.stored([80, 24], "F32", .float32, 4)],
            replaced: [name + ".weight": try Self.tensor(numbers, [80, 24], .float32)])
        let expected = try logits(dense, TinyConfiguration.parsed())
        let configuration = try TinyConfiguration.parsed(
            Self.recipe(["num_bits": 8, "type": "float", "strategy": "tensor"], format: "float-quantized"))
        for shape in [[1], [80, 1], [80]] as [Shape] {
            let scales = [Float](repeating: 0.0004, count: shape.elementCount)
            let source = AlteredSource(
                base, added: [name + ".weight_scale", name + ".input_scale"],
                stored: [
                    name + ".weight": Self.stored([80, 24], "F8_E4M3", .float8E4M3, 1),
                    name + ".weight_scale": Self.stored(shape, "F32", .float32, 4),
                    name + ".input_scale": Self.stored([1], "F32", .float32, 4),
                ],
                replaced: [
                    name + ".weight": try Self.tensor(codes, [80, 24], .float8E4M3),
                    name + ".weight_scale": try Self.tensor(scales, shape, .float32),
                ])
            #expect(worstDifference(try logits(source, configuration), expected) < 1e-5, "\(shape)")
        }
    }

    @Test("a weight whose codes or scales do not fit is refused by the tensor's name")
    func refusesMalformed() throws {
        let configuration = try TinyConfiguration.parsed(Self.recipe(Self.int4))
        let (source, _) = try packed()
        let (codes, scale) = (Self.gateUp + ".weight_packed", Self.gateUp + ".weight_scale")
        func expectRefused(_ name: String, _ changed: AlteredSource) {
            let error = #expect(throws: ModelError.self) { try logits(changed, configuration) }
            #expect(error.map { "\($0)".contains("'\(name)'") && !"\($0)".contains("\n") } ?? false, "\(name)")
        }
        expectRefused(scale, AlteredSource(source, removed: [scale]))
        expectRefused(codes, AlteredSource(source, removed: [codes]))
        let changes: [(String, Shape, String, DType, Int)] = [
            (codes, [80, 4], "I32", .int32, 4), (codes, [79, 3], "I32", .int32, 4),
            (codes, [80, 3], "F32", .float32, 4),
            (scale, [80, 2], "F32", .float32, 4), (scale, [80, 1], "F32", .float32, 4),
            (scale, [1], "F32", .float32, 4),
            (scale, [80, 3], "I32", .int32, 4),
        ]
        for (name, shape, dtypeName, dtype, size) in changes {
            expectRefused(name, AlteredSource(source, stored: [name: Self.stored(shape, dtypeName, dtype, size)]))
        }
        for bad in [Float.nan, .infinity, 0, -0.01] {
            expectRefused(scale, try packed { $0 == 77 ? bad : 0.01 }.source)
        }
        let zeros = Self.gateUp + ".weight_zero_point"
        expectRefused(zeros, AlteredSource(source, added: [zeros]))
        let order = Self.gateUp + ".weight_g_idx"
        expectRefused(order, AlteredSource(source, added: [order]))
    }

    @Test("a scheme that is not implemented is refused with field, expected and got")
    func refusesSchemes() {
        let base: [String: Any] = Self.int4
        let changes: [(String, Any)] = [
            ("num_bits", 3), ("num_bits", 16), ("type", "float"), ("symmetric", false), ("strategy", "block"),
            ("strategy", "tensor_group"), ("group_size", 12), ("group_size", 7), ("actorder", "group"),
        ]
        for (key, value) in changes {
            let error = #expect(throws: ModelError.self) {
                try TinyConfiguration.parsed(Self.recipe(base.merging([key: value]) { $1 }))
            }
            guard case .unsupportedQuantization = error else {
                Issue.record("\(key): \(String(describing: error))")
                continue
            }
        }
        for method in ["gptq", "awq", "bitsandbytes", "fp8"] {
            #expect(throws: ModelError.quantized(file: "config.json", method: method)) {
                try TinyConfiguration.parsed(Self.recipe(base, method: method))
            }
        }
        for targets in [["re:("], [""]] {
            #expect(throws: ModelError.self) { try TinyConfiguration.parsed(Self.recipe(base, targets: targets)) }
        }
        #expect(throws: ModelError.self) {
            try TinyConfiguration.parsed(Self.recipe(base, format: "nvfp4-pack-quantized"))
        }
    }
}

@Suite("Conversion of checkpoints")
struct CheckpointConversionTests {
    private let original = FixtureFolder.path("glm4v-tiny")
    private let choice = ConversionChoice(vision: .int8Groups(of: 128), decoder: .int4(group: 64), output: .int8)

    private func convert(_ folder: TemporaryFolder, _ choice: ConversionChoice) throws -> String {
        let output = folder.url.appendingPathComponent("out").path
        _ = try CheckpointConversion(folder: original.path, choice: choice).write(to: output) { _ in }
        return output
    }

    private func opened(_ folder: String) throws -> (Checkpoint, GLM4VConfiguration) {
        (
            try Checkpoint(folder: folder),
            try GLM4VConfiguration(parsing: FileContents.bytes(of: folder + "/config.json", limit: 1 << 20))
        )
    }

    @Test("a converted folder gives, bit for bit, what quantizing while loading gives; its sizes are those of plans")
    func converts() throws {
        for choice in [choice, ConversionChoice(.float8), ConversionChoice(.int4(group: 1 << 30, scaleBytes: 4))] {
            let folder = try TemporaryFolder()
            let (checkpoint, configuration) = try opened(convert(folder, choice))
            let (source, recipe) = try opened(original.path)
            let precisions = PrecisionChoice(
                vision: choice.vision ?? .bfloat16, decoder: choice.decoder ?? .bfloat16,
                output: choice.output ?? .bfloat16)
            let loaded = try QuantizingSource.quantizing(source, recipe, precisions)
            let a = try TinyModel(dtype: .bfloat16, source: checkpoint, configuration: configuration)
            let b = try TinyModel(dtype: .bfloat16, source: loaded.source, configuration: loaded.configuration)
            func logits(_ model: TinyModel) throws -> [[Float]] {
                try model.run(model.sequence(TinyModel.ids(20), pages: [0, 1, 2, 3, 4]), chunk: 20)
            }
            #expect(try logits(a) == logits(b))
            #expect(try configuration.storedPrecision() == precisions)
            let sizes = try ModelInventory(configuration).weightSizes(in: checkpoint)
            let description = try configuration.modelDescription()
            for (unit, size) in sizes where unit != .tokenEmbedding {
                #expect(size.byteCount == description.byteCount(unit.kind, precisions), "\(unit) as \(choice)")
            }
        }
    }

    @Test("the other files come along, and nothing is left beside the folder")
    func copiesFiles() throws {
        let folder = try TemporaryFolder()
        let output = try convert(folder, choice)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["out"])
        let before = try FileManager.default.contentsOfDirectory(atPath: original.path).filter { !$0.contains("cases") }
        let after = try FileManager.default.contentsOfDirectory(atPath: output)
        #expect(Set(after).isSuperset(of: before.filter { $0.hasPrefix("tokenizer") }))
        #expect(after.contains("config.json"))
    }

    @Test("a folder that is not empty is refused; one that is given up leaves nothing")
    func leavesNothing() throws {
        let folder = try TemporaryFolder()
        let taken = try folder.file("taken/file", Data()).deletingLastPathComponent().path
        let conversion = try CheckpointConversion(folder: original.path, choice: choice)
        #expect(throws: ModelError.checkpoint(.folderNotEmpty(path: taken))) {
            _ = try conversion.write(to: taken) { _ in }
        }
        var blocks = 0
        #expect(throws: ModelError.loadingCancelled) {
            _ = try conversion.write(to: folder.url.appendingPathComponent("out").path) { _ throws(ModelError) in
                blocks += 1
                if blocks == 20 { throw .loadingCancelled }
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["taken"])
    }

    @Test("a converted folder is not converted again, and its weights are not quantized while loading")
    func refusesTwice() throws {
        let folder = try TemporaryFolder()
        let output = try convert(folder, choice)
        #expect(throws: ModelError.alreadyQuantized(source: output)) {
            try CheckpointConversion(folder: output, choice: choice)
        }
        let (checkpoint, configuration) = try opened(output)
        #expect(throws: ModelError.alreadyQuantized(source: output)) {
            try QuantizingSource.quantizing(checkpoint, configuration, PrecisionChoice(.int8))
        }
    }

    @Test("cut off anywhere, or with bytes changed, it is refused or runs; it never crashes")
    func damaged() throws {
        let folder = try TemporaryFolder()
        let output = try convert(folder, choice)
        let names = try FileManager.default.contentsOfDirectory(atPath: output).filter { $0.hasSuffix("safetensors") }
        let file = URL(fileURLWithPath: output).appendingPathComponent(try #require(names.first))
        let whole = try Data(contentsOf: file)
        for step in 0..<24 {
            try whole.prefix(step * whole.count / 24).write(to: file)
            #expect(throws: CheckpointError.self) { try Checkpoint(folder: output) }
        }
        var headerEnd = 8
        for (place, byte) in whole.prefix(8).enumerated() { headerEnd += Int(byte) << (8 * place) }
        var state: UInt64 = 5
        for _ in 0..<60 {
            var bytes = whole
            for _ in 0..<3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1
                bytes[8 + Int(state >> 33) % (headerEnd - 8)] = UInt8(truncatingIfNeeded: state >> 20)
            }
            try bytes.write(to: file)
            do {
                let (checkpoint, configuration) = try opened(output)
                _ = try TinyModel(dtype: .bfloat16, source: checkpoint, configuration: configuration)
            } catch { #expect(!"\(error)".isEmpty && !"\(error)".contains("\n")) }
        }
    }
}
