import FacetJSON
public import FacetPlacement

/// The JSON form of a device map: one object, module names to devices.
public enum DeviceMapFile {
    /// Reads the bytes of a file.
    ///
    /// An object whose only member is `device_map` is read from there.
    /// - Parameter input: what errors call the file.
    /// - Throws: `.unreadable` when it is not JSON, `.malformed` when it is no object of numbers and texts, and what
    ///   `DeviceMap.Place` finds wrong with a value.
    public static func read(_ bytes: [UInt8], input: String) throws(PlacementInputError) -> DeviceMap {
        var document = try JSONValue(reading: bytes, input: input)
        if let object = document.object, object.members.count == 1, let inner = object["device_map"] {
            document = inner
        }
        guard let object = document.object else {
            throw .malformed(input: input, entry: document.kind, expected: "an object of modules and devices")
        }
        var entries: [DeviceMap.Entry] = []
        for member in object.members {
            entries.append(DeviceMap.Entry(member.key, try place(member.value, key: member.key, input)))
        }
        return DeviceMap(entries)
    }

    /// The map as JSON, one line per entry.
    public static func text(_ map: DeviceMap) -> String {
        let lines = map.entries.map { entry in
            let value =
                if case .index(let index) = entry.place { "\(index)" } else {
                    JSONValue.quoted(entry.place.description)
                }
            return "  \(JSONValue.quoted(entry.key)): \(value)"
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    private static func place(
        _ value: JSONValue, key: String, _ input: String
    ) throws(PlacementInputError) -> DeviceMap.Place {
        switch value {
        case .string(let text): return try DeviceMap.Place(parsing: text, key: key, input: input)
        case .number(let number):
            if let index = number.integer { return try DeviceMap.Place(index: index, key: key, input: input) }
        default: break
        }
        throw .malformed(
            input: input, entry: "\(key): \(String(value.text.prefix(60)))",
            expected: "a device's number, \"cuda:N\", \"cpu\" or \"disk\"")
    }
}
