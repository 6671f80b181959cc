public import FacetTensor

/// The encoded pictures that sequences refer to, in a fixed number of places.
public final class FeatureStore {
    private let places: [Tensor]  // each [image rows, hidden]
    private var freePlaces: [Int]
    private var placeOfImage: [ImageID: Int] = [:]

    /// Allocates `limits.maxImages` places.
    ///
    /// - Parameter dtype: type of the activations.
    /// - Throws: `.tensor(.outOfMemory)`.
    public init(
        _ configuration: GLM4VConfiguration, limits: ModelLimits, dtype: DType, backend: any Backend
    ) throws(ModelError) {
        var places: [Tensor] = []
        for index in 0..<limits.maxImages {
            let place = try mappingTensorError { () throws(TensorError) in
                try backend.allocate(Self.shape(configuration), dtype, label: "features of picture \(index)")
            }
            places.append(place)
        }
        self.places = places
        freePlaces = Array(places.indices.reversed())
    }

    /// The features of a picture, `[image rows, hidden]`; nil when it has no place.
    public subscript(image: ImageID) -> Tensor? { placeOfImage[image].map { places[$0] } }

    /// Pictures that have a place.
    public var count: Int { placeOfImage.count }

    /// Takes a place for a picture, or finds the one it has.
    ///
    /// - Throws: `.noFeatureSlot`.
    public func reserve(_ image: ImageID) throws(ModelError) -> Tensor {
        if let place = self[image] { return place }
        guard let free = freePlaces.popLast() else { throw .noFeatureSlot(limit: places.count) }
        placeOfImage[image] = free
        return places[free]
    }

    /// Gives a picture's place back; nothing happens when it has none.
    public func release(_ image: ImageID) {
        guard let place = placeOfImage.removeValue(forKey: image) else { return }
        freePlaces.append(place)
    }

    /// One picture's features.
    static func shape(_ configuration: GLM4VConfiguration) -> Shape {
        [configuration.imageRowCount, configuration.hiddenSize]
    }
}
