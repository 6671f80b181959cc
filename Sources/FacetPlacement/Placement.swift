/// Where one unit is computed, and where its weights are kept.
public struct UnitPlacement: Sendable, Hashable {
    /// Where the weights are between two uses.
    public enum Residency: String, Sendable, Hashable {
        /// On the device that computes the unit, from loading to the end.
        case resident
        /// In host memory; copied to the device for each use, the next unit's copy under way meanwhile.
        case host
        /// In the checkpoint's files; read and copied to the device for each use.
        case disk
    }

    /// Index into the list of devices that the placement was made for.
    public var device: Int

    /// Where the weights are kept.
    public var residency: Residency

    /// Places a unit.
    public init(device: Int, residency: Residency = .resident) {
        self.device = device
        self.residency = residency
    }
}

/// A place for every unit of the model: what a planner decides and an executor carries out.
///
/// A placement knows neither bytes nor seconds; those are in the plan that made it. Devices are numbers: 0 is the first
/// of the list that the placement was made for (a CPU that computes units is a device of that list like any other).
public struct Placement: Sendable, Hashable {
    /// The vision chain in order: patch embedding, layers, projector.
    public var vision: [UnitPlacement]

    /// The decoder chain in order: token embedding, layers, final norm, output layer.
    public var decoder: [UnitPlacement]

    /// Places both chains.
    ///
    /// - Precondition: the vision chain has at least 3 units and the decoder chain at least 4, as every model has.
    public init(vision: [UnitPlacement], decoder: [UnitPlacement]) {
        precondition(vision.count >= 3 && decoder.count >= 4, "a placement names every unit of both chains")
        self.vision = vision
        self.decoder = decoder
    }

    /// Everything on device 0, for a model of these layer counts.
    public static func single(visionLayers: Int, decoderLayers: Int) -> Placement {
        Placement(
            vision: Array(repeating: UnitPlacement(device: 0), count: visionLayers + 2),
            decoder: Array(repeating: UnitPlacement(device: 0), count: decoderLayers + 3))
    }

    /// Layers of the vision tower.
    public var visionLayerCount: Int { vision.count - 2 }

    /// Layers of the decoder.
    public var decoderLayerCount: Int { decoder.count - 3 }

    /// The place of a unit.
    ///
    /// - Precondition: the model has such a unit.
    public subscript(unit: UnitName) -> UnitPlacement {
        switch unit {
        case .patchEmbedding: vision[0]
        case .visionLayer(let index): vision[1 + index]
        case .projector: vision[vision.count - 1]
        case .tokenEmbedding: decoder[0]
        case .decoderLayer(let index): decoder[1 + index]
        case .finalNorm: decoder[decoder.count - 2]
        case .outputLayer: decoder[decoder.count - 1]
        }
    }

    /// The devices that compute at least one unit, ascending.
    public var usedDevices: [Int] { Set((vision + decoder).map(\.device)).sorted() }
}
