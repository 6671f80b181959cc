public import FacetPlacement

extension ModelInventory {
    /// The names of the model's modules, for device maps.
    public var moduleNames: ModuleNames {
        let read = declarations.map {
            ModuleNames.Tensor($0.name, $0.unit, isFollower: $0.role == .row && $0.unit == .projector)
        }
        let computed = InventoryReport.ignoredNames.sorted().map {
            ModuleNames.Tensor($0, .tokenEmbedding, isFollower: true)
        }
        // What is computed is listed behind the embedding, where published maps have it.
        let front = read.prefix { $0.unit == .tokenEmbedding }
        return ModuleNames(front + computed + read.dropFirst(front.count))
    }
}
