import FacetPlacement
import Testing

@Suite("Device maps")
struct DeviceMapTests {
    /// A model of two vision layers and three decoder layers, with the checkpoint's names.
    static let names = ModuleNames(
        tensors([("embedding.word_embeddings.weight", .tokenEmbedding)])
            + tensors([("rotary_pos_emb.inv_freq", .tokenEmbedding)], isFollower: true)
            + (0..<3).flatMap { layer in
                tensors(
                    [
                        "input_layernorm.weight", "self_attention.query_key_value.weight",
                        "self_attention.dense.weight",
                        "mlp.dense_h_to_4h.weight",
                    ].map { ("encoder.layers.\(layer).\($0)", .decoderLayer(layer)) })
            }
            + tensors([("encoder.final_layernorm.weight", .finalNorm), ("output_layer.weight", .outputLayer)])
            + tensors([
                ("vision.patch_embedding.cls_embedding", .patchEmbedding),
                ("vision.patch_embedding.proj.weight", .patchEmbedding),
            ])
            + (0..<2).flatMap { layer in
                tensors(
                    ["attention.dense.weight", "mlp.fc1.weight"].map {
                        ("vision.transformer.layers.\(layer).\($0)", .visionLayer(layer))
                    })
            }
            + tensors([
                ("vision.conv.weight", .projector), ("vision.linear_proj.norm1.weight", .projector),
            ]) + tensors([("vision.boi", .projector), ("vision.eoi", .projector)], isFollower: true))

    private static func tensors(_ list: [(String, UnitName)], isFollower: Bool = false) -> [ModuleNames.Tensor] {
        list.map { ModuleNames.Tensor("transformer.\($0.0)", $0.1, isFollower: isFollower) }
    }

    private static let devices = ["cuda:0", "cuda:1", "cuda:2"]

    private func read(_ entries: [(String, DeviceMap.Place)], devices: [String] = devices) throws -> Placement {
        try DeviceMap(entries.map { DeviceMap.Entry($0.0, $0.1) }).placement(Self.names, devices: devices)
    }

    private func complaint(_ entries: [(String, DeviceMap.Place)]) -> String {
        let error = #expect(throws: PlacementInputError.self) { try read(entries) }
        return error?.description ?? ""
    }

    @Test("the empty key is the whole model, and longer keys go before shorter ones")
    func parents() throws {
        #expect(try read([("", .index(1))]).usedDevices == [1])
        let placement = try read([
            ("transformer.encoder.layers.2", .index(2)), ("transformer.encoder", .index(1)), ("", .index(0)),
        ])
        #expect(placement.decoder.map(\.device) == [0, 1, 1, 2, 1, 0])
        #expect(placement.vision.allSatisfy { $0.device == 0 })
    }

    @Test("the guides' older spellings are understood")
    func olderSpellings() throws {
        let placement = try read([
            ("transformer.word_embeddings", .index(0)), ("transformer.h.0", .index(0)), ("transformer.h.1", .index(1)),
            ("transformer.h.2", .index(1)), ("transformer.final_layernorm", .index(1)), ("lm_head", .index(2)),
            ("transformer.vision", .index(2)),
        ])
        #expect(placement.decoder.map(\.device) == [0, 0, 1, 1, 1, 2])
        let same = try read([("lm_head", .index(0)), ("transformer.output_layer", .index(0)), ("", .index(0))])
        #expect(same.usedDevices == [0])
        #expect(try read([("encoder.layers.0", .index(1)), ("", .index(0))])[.decoderLayer(0)].device == 1)
    }

    @Test("names of devices are those of the list, and parts without weights do not matter")
    func deviceNames() throws {
        let placement = try read([
            ("", .name("cuda:1")), ("transformer.rotary_pos_emb", .index(2)), ("transformer.vision.boi", .index(0)),
            ("transformer.vision.transformer.layers.0.mlp.activation_fn", .index(0)),
        ])
        #expect(placement.usedDevices == [1])
        #expect(try read([("", .host)], devices: ["cpu"]).vision[0] == UnitPlacement(device: 0))
        #expect(try read([("", .name("cpu:1"))], devices: ["cpu:0", "cpu:1"]).usedDevices == [1])
    }

    @Test("what is kept elsewhere is computed on its neighbors' device")
    func streaming() throws {
        let placement = try read([
            ("transformer.encoder.layers.1", .host), ("transformer.encoder.layers.2", .disk), ("", .index(1)),
            ("transformer.embedding", .index(0)), ("transformer.vision", .host),
            ("transformer.encoder.final_layernorm", .hostOnto(2)),
        ])
        #expect(placement[.decoderLayer(1)] == UnitPlacement(device: 1, residency: .host))
        #expect(placement[.decoderLayer(2)] == UnitPlacement(device: 1, residency: .disk))
        #expect(placement[.finalNorm] == UnitPlacement(device: 2, residency: .host))
        #expect(placement.vision.allSatisfy { $0 == UnitPlacement(device: 0, residency: .host) })
    }

    @Test("every mistake in a map is named, with the key and the remedy")
    func mistakes() {
        #expect(complaint([]).contains("{\"\": 0}"))
        let unknown = complaint([("transformer.encoder.layer.0", .index(0)), ("", .index(0))])
        #expect(unknown.contains("'transformer.encoder.layer.0' is unknown"))
        #expect(unknown.contains("the nearest is 'transformer.encoder.layers.0'"), "\(unknown)")
        let beyond = complaint([("transformer.encoder.layers.7", .index(0)), ("", .index(0))])
        #expect(beyond.contains("'transformer.encoder.layers.7' is unknown"))
        let missing = complaint([("transformer.encoder", .index(0)), ("transformer.vision", .index(1))])
        #expect(missing.contains("embedding and 1 more is missing"), "\(missing)")
        #expect(missing.contains("add 'transformer.embedding'"), "\(missing)")
        let cut = complaint([("transformer.vision.transformer.layers.1.mlp", .index(1)), ("", .index(0))])
        #expect(cut.contains("vision.layers.1 is cut: its parts are on 0 and 1"), "\(cut)")
        #expect(cut.contains("give 'transformer.vision.transformer.layers.1' one device"), "\(cut)")
        #expect(
            complaint([("transformer.vision.conv", .index(1)), ("", .index(0))]).contains("vision.projector is cut"))
        let again = complaint([("lm_head", .index(1)), ("transformer.output_layer", .index(0)), ("", .index(0))])
        #expect(again.contains("says again"), "\(again)")
        #expect(complaint([("", .index(3))]).contains("one of the devices cuda:0, cuda:1, cuda:2"))
        #expect(complaint([("", .name("cuda:5"))]).contains("cuda:5"))
        #expect(complaint([("transformer.encoder", .hostOnto(9)), ("", .index(0))]).contains("stream:9"))
    }

    @Test("values are read in all their forms, or refused with the nearest")
    func values() throws {
        let cases: [(String, DeviceMap.Place)] = [
            ("cpu", .host), ("disk", .disk), ("cuda", .name("cuda:0")), ("cuda:1", .name("cuda:1")), ("2", .index(2)),
            ("cpu:3", .name("cpu:3")), ("stream:1", .hostOnto(1)), ("disk:0", .diskOnto(0)),
            ("CUDA:1", .name("cuda:1")),
        ]
        for (text, place) in cases {
            #expect(try DeviceMap.Place(parsing: text, key: "k", input: "m") == place)
        }
        for text in ["", "meta", "cuda:", "cuda:x", "gpu:1", "1.5", "-1", "cuda:1:2", "cuda:999"] {
            let error = #expect(throws: PlacementInputError.self) {
                try DeviceMap.Place(parsing: text, key: "transformer", input: "map.json")
            }
            #expect(error?.description.contains("transformer: \(text)") == true, "\(error?.description ?? "")")
        }
        #expect(throws: PlacementInputError.self) { try DeviceMap.Place(index: -1, key: "k", input: "m") }
    }

    @Test("any placement reads back equal, from both forms")
    func roundTrip() throws {
        var generator = InputMutationTests.Generator(state: 3)
        for round in 0..<2_000 {
            let spread = round % 3 + 1
            func place() -> UnitPlacement {
                let residency: [UnitPlacement.Residency] = round % 2 == 0 ? [.resident] : [.resident, .host, .disk]
                return UnitPlacement(
                    device: Int.random(in: 0..<spread, using: &generator),
                    residency: residency.randomElement(using: &generator) ?? .resident)
            }
            let placement = Placement(vision: (0..<4).map { _ in place() }, decoder: (0..<6).map { _ in place() })
            for devices in [Self.devices, ["cuda:0", "cpu", "cuda:1"]] {
                for form in [DeviceMap.Form.merged, .unmerged] {
                    let map = DeviceMap(placement, Self.names, devices: devices, form: form)
                    #expect(try map.placement(Self.names, devices: devices) == placement, "\(map.entries)")
                }
            }
        }
    }

    @Test("equal places are merged into one key, and the unmerged form names every unit")
    func forms() {
        let single = Placement.single(visionLayers: 2, decoderLayers: 3)
        #expect(DeviceMap(single, Self.names, devices: Self.devices).entries == [DeviceMap.Entry("", .index(0))])
        var two = single
        two.vision = two.vision.map { _ in UnitPlacement(device: 1) }
        #expect(
            DeviceMap(two, Self.names, devices: Self.devices).entries.map { "\($0.key)=\($0.place)" } == [
                "transformer.embedding=0", "transformer.rotary_pos_emb=0", "transformer.encoder=0",
                "transformer.output_layer=0", "transformer.vision=1",
            ])
        let unmerged = DeviceMap(two, Self.names, devices: Self.devices, form: .unmerged).entries
        #expect(unmerged.count == 10 + 3 + 1)
        #expect(unmerged.first == DeviceMap.Entry("transformer.vision.patch_embedding", .index(1)))
    }
}
