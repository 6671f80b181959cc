extension DeviceMap {
    /// The placement that the map describes.
    ///
    /// - Parameters:
    ///   - names: the model's modules.
    ///   - devices: the names of the devices in the list's order, such as `cuda:0`; what an index counts.
    ///   - input: what errors call the map, such as its file.
    /// - Throws: `.unknown` for keys and devices that do not exist, with the nearest that does; `.duplicate` for a module
    ///   placed twice; `.missing` for units that no key covers; `.cutInside` for a unit on several devices.
    public func placement(
        _ names: ModuleNames, devices: [String], input: String = "--device-map"
    ) throws(PlacementInputError) -> Placement {
        let places = try placesByModule(names, input)
        var placeOfUnit: [UnitName: Place] = [:]
        var uncovered: [UnitName] = []
        for unit in names.units {
            switch try place(of: unit, names, places, input) {
            case .some(let place): placeOfUnit[unit] = try Self.resolved(place, unit, names, devices, input)
            case nil: uncovered.append(unit)
            }
        }
        if let first = uncovered.first {
            let rest = uncovered.count > 1 ? " and \(uncovered.count - 1) more" : ""
            let keys = names.modules(of: first).map { "'\($0)'" }.joined(separator: ", ")
            throw .missing(
                input: input, what: "a device for \(first)\(rest)", remedy: "add \(keys), or '' for all that is left")
        }
        return DeviceMapNeighbors.placement(names) { placeOfUnit[$0] ?? .index(0) }
    }

    /// Places by the checkpoint's own module names.
    private func placesByModule(_ names: ModuleNames, _ input: String) throws(PlacementInputError) -> [String: Place] {
        guard !entries.isEmpty else {
            throw .missing(input: input, what: "every entry", remedy: "write for example {\"\": 0}")
        }
        var result: [String: Place] = [:]
        var spelling: [String: Entry] = [:]
        for entry in entries {
            let key = DeviceMapAliases.canonical(entry.key, names)
            guard names.contains(key) else {
                if DeviceMapAliases.isWeightless(key, names) { continue }
                throw .unknown(
                    input: input, name: entry.key, expected: "a module of the model",
                    nearest: Self.nearest(entry.key, names))
            }
            if let first = spelling[key], first.place != entry.place {
                throw .duplicate(
                    input: input, entry: "\(entry.key): \(entry.place)", first: "\(first.key): \(first.place)")
            }
            spelling[key] = entry
            result[key] = entry.place
        }
        return result
    }

    /// The key that was probably meant: the most alike, among those that differ from the given one in digits only when
    /// nothing else is as near.
    private static func nearest(_ key: String, _ names: ModuleNames) -> String? {
        EditDistance.nearest(to: key, in: names.names.filter { !$0.isEmpty }.sorted())
    }

    /// The place of a unit; nil when a part of it has none.
    private func place(
        of unit: UnitName, _ names: ModuleNames, _ places: [String: Place], _ input: String
    ) throws(PlacementInputError) -> Place? {
        var found: [Place] = []
        var isCovered = true
        for tensor in names.tensors where tensor.unit == unit && !tensor.isFollower {
            guard let key = ModuleNames.ancestors(of: tensor.name).last(where: { places[$0] != nil }),
                let place = places[key]
            else {
                isCovered = false
                continue
            }
            if !found.contains(place) { found.append(place) }
        }
        guard found.count < 2 else {
            let keys = names.modules(of: unit).map { "'\($0)'" }.joined(separator: ", ")
            throw .cutInside(
                input: input, unit: "\(unit)", places: found.map(\.description),
                remedy: "give \(keys) one device")
        }
        return isCovered ? found.first : nil
    }

    /// The place with names of devices replaced by their index, and every index checked.
    private static func resolved(
        _ place: Place, _ unit: UnitName, _ names: ModuleNames, _ devices: [String], _ input: String
    ) throws(PlacementInputError) -> Place {
        func unknown(_ name: String) -> PlacementInputError {
            .unknown(
                input: input, name: "\(names.modules(of: unit).first ?? "\(unit)"): \(name)",
                expected: "one of the devices \(devices.joined(separator: ", "))",
                nearest: nil)
        }
        switch place {
        case .index(let index), .hostOnto(let index), .diskOnto(let index):
            guard devices.indices.contains(index) else { throw unknown("\(place)") }
            return place
        case .name(let name):
            guard let index = devices.firstIndex(of: name) ?? (name == "cpu:0" ? devices.firstIndex(of: "cpu") : nil)
            else { throw unknown(name) }
            return .index(index)
        case .host: return devices.firstIndex(of: "cpu").map(Place.index) ?? .host
        case .disk: return .disk
        }
    }
}

/// Where a unit is computed whose weights are elsewhere, when a map does not say.
///
/// On the device of the nearest unit before it in its chain whose weights stay on a device; failing that, of the
/// nearest behind it; failing that, on the first device that any unit is on; failing that, on device 0.
enum DeviceMapNeighbors {
    /// The placement of both chains.
    static func placement(_ names: ModuleNames, _ place: (UnitName) -> DeviceMap.Place) -> Placement {
        let vision = UnitName.visionChain(layerCount: names.visionLayerCount).map(place)
        let decoder = UnitName.decoderChain(layerCount: names.decoderLayerCount).map(place)
        let anywhere = (vision + decoder).compactMap(device).min() ?? 0
        return Placement(vision: chain(vision, anywhere), decoder: chain(decoder, anywhere))
    }

    /// The default device of each unit of a chain, from the devices of its resident units (nil for the others).
    static func defaults(_ resident: [Int?], _ anywhere: Int) -> [Int] {
        var last: Int? = resident.compactMap { $0 }.first
        return resident.map { device in
            last = device ?? last
            return last ?? anywhere
        }
    }

    private static func chain(_ places: [DeviceMap.Place], _ anywhere: Int) -> [UnitPlacement] {
        zip(places, defaults(places.map(device), anywhere)).map { place, device in
            switch place {
            case .index(let index): UnitPlacement(device: index)
            case .hostOnto(let index): UnitPlacement(device: index, residency: .host)
            case .diskOnto(let index): UnitPlacement(device: index, residency: .disk)
            case .disk: UnitPlacement(device: device, residency: .disk)
            case .host, .name: UnitPlacement(device: device, residency: .host)
            }
        }
    }

    private static func device(_ place: DeviceMap.Place) -> Int? {
        if case .index(let index) = place { index } else { nil }
    }
}
