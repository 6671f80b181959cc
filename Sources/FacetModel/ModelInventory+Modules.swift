public import FacetPlacement

extension ModelInventory {
    /// The names of the model's modules, for device maps.
    public var moduleNames: ModuleNames {
        let read = declarations.map {
            ModuleNames.Tensor($0.name, $0.placedUnit, isFollower: $0.role == .row && $0.placedUnit == .projector)
        }
        let computed = InventoryReport.ignoredNames.sorted().map {
            ModuleNames.Tensor($0, .tokenEmbedding, isFollower: true)
        }
        // What is computed is listed behind the embedding, where published maps have it.
        let front = read.prefix { $0.unit == .tokenEmbedding }
        return ModuleNames(front + computed + read.dropFirst(front.count))
    }
}

extension WeightDeclaration {
    /// The unit of a placement that the tensor belongs to.
    fileprivate var placedUnit: UnitName {
        switch unit {
        case .patchEmbedding: .patchEmbedding
        case .visionLayer(let index): .visionLayer(index)
        case .projector: .projector
        case .tokenEmbedding: .tokenEmbedding
        case .decoderLayer(let index): .decoderLayer(index)
        case .outputLayer: role == .normWeight ? .finalNorm : .outputLayer
        }
    }
}
