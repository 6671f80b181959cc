import FacetPlacement
import Testing

@Suite("Placement")
struct PlacementTests {
    @Test("every unit of both chains has its own entry")
    func subscripts() {
        var placement = Placement.single(visionLayers: 3, decoderLayers: 2)
        #expect(placement.vision.count == 5 && placement.decoder.count == 5)
        for index in placement.vision.indices { placement.vision[index].device = index }
        for index in placement.decoder.indices { placement.decoder[index].device = 10 + index }
        #expect(UnitName.visionChain(layerCount: 3).map { placement[$0].device } == [0, 1, 2, 3, 4])
        #expect(UnitName.decoderChain(layerCount: 2).map { placement[$0].device } == [10, 11, 12, 13, 14])
        #expect(placement.usedDevices == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14])
    }

    @Test("units are named as in plans and reports")
    func names() {
        let chain = UnitName.visionChain(layerCount: 1) + UnitName.decoderChain(layerCount: 1)
        #expect(
            chain.map(\.description) == [
                "vision.patch_embedding", "vision.layers.0", "vision.projector", "embedding", "decoder.layers.0",
                "final_norm", "output_layer",
            ])
    }
}
