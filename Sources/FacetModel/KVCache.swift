public import FacetPlacement
public import FacetTensor

/// Keys and values of every decoder layer, in pages that sequences share out among themselves.
///
/// It does not know which page belongs to whom: that is in each batch's page table.
public final class KVCache {
    /// Tokens that a page holds.
    public let pageSize: Int

    /// Pages of each layer.
    public let pageCount: Int

    private let layers: [KVLayerCache]

    /// Allocates the pages on one device, zeroed.
    ///
    /// - Parameter dtype: type of the activations.
    /// - Throws: `.tensor(.outOfMemory)` with the layer.
    public convenience init(
        _ configuration: GLM4VConfiguration, limits: ModelLimits, dtype: DType, backend: any Backend
    ) throws(ModelError) {
        let placement = Placement.single(
            visionLayers: configuration.vision.layerCount, decoderLayers: configuration.layerCount)
        try self.init(configuration, limits: limits, dtype: dtype, devices: [backend], placement: placement)
    }

    /// Allocates each layer's pages on the device of the layer, zeroed.
    ///
    /// - Parameter dtype: type of the activations.
    /// - Throws: `.tensor(.outOfMemory)` with the layer.
    public init(
        _ configuration: GLM4VConfiguration, limits: ModelLimits, dtype: DType, devices: [any Backend],
        placement: Placement
    ) throws(ModelError) {
        let (shape, dtype) = (Self.shape(configuration, limits), limits.quantizesCache ? .uint8 : dtype)
        var layers: [KVLayerCache] = []
        for index in 0..<configuration.layerCount {
            let backend = devices[placement[.decoderLayer(index)].device]
            let layer = try mappingTensorError { () throws(TensorError) in
                KVLayerCache(
                    keys: try backend.allocate(shape, dtype, label: "keys of decoder layer \(index)"),
                    values: try backend.allocate(shape, dtype, label: "values of decoder layer \(index)"))
            }
            layers.append(layer)
        }
        self.layers = layers
        pageSize = limits.pageSize
        pageCount = limits.pageCount
    }

    /// The pages of one layer.
    package subscript(layer: Int) -> KVLayerCache { layers[layer] }

    /// One layer's keys (or values): `[pages, pageSize, groups, headDimension]`, with the scale of each head behind it
    /// where they are quantized.
    private static func shape(_ configuration: GLM4VConfiguration, _ limits: ModelLimits) -> Shape {
        let scale = limits.quantizesCache ? KVLayerCache.scaleByteCount : 0
        return [limits.pageCount, limits.pageSize, configuration.groupCount, configuration.headDimension + scale]
    }

    /// Bytes of one layer's keys and values.
    ///
    /// - Parameter dtype: type of the activations.
    static func byteCountPerLayer(_ configuration: GLM4VConfiguration, _ limits: ModelLimits, _ dtype: DType) -> Int {
        2 * shape(configuration, limits).elementCount * (limits.quantizesCache ? 1 : dtype.byteCount)
    }
}
