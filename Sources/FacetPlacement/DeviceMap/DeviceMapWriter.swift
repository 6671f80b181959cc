extension DeviceMap {
    /// How much of a map is written.
    public enum Form: Sendable, Hashable {
        /// A module stands for everything below it wherever all of that is at one place.
        case merged
        /// One line or more for every unit.
        case unmerged
    }

    /// Describes a placement; reading the map gives the same placement again.
    ///
    /// - Parameters:
    ///   - placement: the places of all units of the model that `names` describes.
    ///   - devices: the names of the devices in the list's order, as they are given when the map is read.
    /// - Precondition: the placement has as many layers as the model.
    public init(_ placement: Placement, _ names: ModuleNames, devices: [String], form: Form = .merged) {
        precondition(
            placement.visionLayerCount == names.visionLayerCount
                && placement.decoderLayerCount == names.decoderLayerCount,
            "the placement is one of this model")
        let places = Self.places(placement, names, devices)
        let tensorPlaces = names.tensors.map { places[$0.unit] ?? .index(0) }
        switch form {
        case .merged: entries = Self.merged("", names, tensorPlaces)
        case .unmerged: entries = Self.unmerged(names, places)
        }
    }

    /// Places by unit, streaming in the short form where the rule of the neighbors gives the same device.
    private static func places(
        _ placement: Placement, _ names: ModuleNames, _ devices: [String]
    ) -> [UnitName: Place] {
        let isCPUListed = devices.contains("cpu")
        let resident = (placement.vision + placement.decoder).filter { $0.residency == .resident }.map(\.device)
        let anywhere = resident.min() ?? 0
        var result: [UnitName: Place] = [:]
        func add(_ units: [UnitName], _ chain: [UnitPlacement]) {
            let defaults = DeviceMapNeighbors.defaults(
                chain.map { $0.residency == .resident ? $0.device : nil }, anywhere)
            for ((unit, place), fallback) in zip(zip(units, chain), defaults) {
                let isDefault = place.device == fallback
                result[unit] =
                    switch place.residency {
                    case .resident: .index(place.device)
                    case .host: isDefault && !isCPUListed ? .host : .hostOnto(place.device)
                    case .disk: isDefault ? .disk : .diskOnto(place.device)
                    }
            }
        }
        add(UnitName.visionChain(layerCount: names.visionLayerCount), placement.vision)
        add(UnitName.decoderChain(layerCount: names.decoderLayerCount), placement.decoder)
        return result
    }

    private static func merged(_ module: String, _ names: ModuleNames, _ places: [Place]) -> [Entry] {
        let inside = names.tensors(of: module).map { places[$0] }
        if let first = inside.first, inside.allSatisfy({ $0 == first }) { return [Entry(module, first)] }
        return names.children(of: module).flatMap { merged($0, names, places) }
    }

    private static func unmerged(_ names: ModuleNames, _ places: [UnitName: Place]) -> [Entry] {
        names.units.flatMap { unit in names.modules(of: unit).map { Entry($0, places[unit] ?? .index(0)) } }
    }
}
