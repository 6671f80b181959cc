import FacetModel
import FacetPlacement
import FacetPlanReport
import FacetTestSupport
import Foundation
import Testing

@Suite("Device maps of the published model")
struct PublishedModelMapTests {
    private let names: ModuleNames
    private let devices = ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]

    init() throws { names = try ModelInventory(.glm4v9b).moduleNames }

    @Test("the model's names are those of the checkpoint")
    func units() throws {
        #expect(names.visionLayerCount == 63 && names.decoderLayerCount == 40)
        let placement = try DeviceMap([DeviceMap.Entry("", .index(0))]).placement(names, devices: devices)
        let unmerged = DeviceMap(placement, names, devices: devices, form: .unmerged).entries.map(\.key)
        #expect(unmerged.count == 65 + 43 + 3 + 1)
        for key in [
            "transformer.embedding", "transformer.encoder.layers.39", "transformer.encoder.final_layernorm",
            "transformer.output_layer", "transformer.vision.patch_embedding",
            "transformer.vision.transformer.layers.62", "transformer.vision.conv", "transformer.vision.linear_proj",
            "transformer.vision.boi", "transformer.vision.eoi", "transformer.rotary_pos_emb",
        ] { #expect(unmerged.contains(key), "\(key)") }
    }

    @Test("a map in the guide's spelling is understood")
    func guide() throws {
        var text = "{\"transformer.word_embeddings\": 0, \"transformer.final_layernorm\": 1, \"lm_head\": 1, "
        text += (0..<40).map { "\"transformer.h.\($0)\": \($0 < 20 ? 0 : 1)" }.joined(separator: ", ")
        text += ", \"transformer.vision\": \"cuda:1\"}"
        let placement = try DeviceMapFile.read(Array(text.utf8), input: "map").placement(names, devices: devices)
        #expect(placement.decoder.map(\.device) == Array(repeating: 0, count: 21) + Array(repeating: 1, count: 22))
        #expect(placement.vision.allSatisfy { $0.device == 1 })
    }

    @Test("every map that the usual libraries make is read, or refused for the block that it cuts")
    func libraryMaps() throws {
        let root = ProcessInfo.processInfo.environment["FACET_FIXTURES"].map { URL(fileURLWithPath: $0) }
        let folder = (root ?? FixtureFolder.root).appendingPathComponent("placement")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).filter {
            $0.pathExtension == "json" && $0.lastPathComponent != "units.json"
        }
        var counts = (read: 0, cut: 0)
        for file in files {
            let data = try Data(contentsOf: file)
            let document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            for item in try #require(document["cases"] as? [[String: Any]]) {
                let map = try JSONSerialization.data(withJSONObject: try #require(item["device_map"]))
                let isCut = (item["blocks_split_across_devices"] as? [Any])?.isEmpty == false
                switch outcome(of: Array(map)) {
                case nil:
                    counts.read += 1
                    #expect(!isCut, "\(item["blocks_split_across_devices"] ?? "")")
                case .cutInside(_, let unit, _, _):
                    counts.cut += 1
                    #expect(isCut || unit == "vision.projector", "\(unit)")
                case .some(let other): Issue.record("\(other)")
                }
            }
        }
        #expect(counts.read > 50 && counts.cut > 5, "\(counts)")
    }

    /// Why a map is refused; nil when it is read.
    private func outcome(of bytes: [UInt8]) -> PlacementInputError? {
        do throws(PlacementInputError) {
            _ = try DeviceMapFile.read(bytes, input: "map").placement(names, devices: devices)
            return nil
        } catch {
            return error
        }
    }
}
