/// Names of modules and where each goes, in the form that Hugging Face's libraries use.
///
/// A key stands for the module of that name and everything below it; the longest key that covers a tensor decides, and
/// the empty key covers what no other does. Numbers are places in the list of devices.
public struct DeviceMap: Sendable, Hashable {
    /// One line of the map.
    public struct Entry: Sendable, Hashable {
        /// The module's name; empty for the whole model.
        public var key: String
        /// Where it goes.
        public var place: Place

        /// Makes a line.
        public init(_ key: String, _ place: Place) {
            self.key = key
            self.place = place
        }
    }

    /// The lines in the order written.
    public var entries: [Entry]

    /// Makes a map.
    public init(_ entries: [Entry]) { self.entries = entries }
}

extension DeviceMap {
    /// Where a module goes, as a map says it.
    public enum Place: Sendable, Hashable {
        /// The device at this place of the list.
        case index(Int)
        /// The device of this name, such as `cuda:1` or `cpu:0`.
        case name(String)
        /// Weights in host memory (`cpu` in a map), copied for each use to the device that the neighbors are on.
        case host
        /// Weights in the checkpoint's files, likewise.
        case disk
        /// Weights in host memory, computed on the device at this place of the list: `stream:1`.
        case hostOnto(Int)
        /// Weights in the checkpoint's files, computed there: `disk:1`.
        case diskOnto(Int)
    }
}

extension DeviceMap.Place {
    /// What a value looks like, for errors.
    static let form = "a device's number, 'cuda:N', 'cpu', 'disk', 'stream:N' or 'disk:N'"

    /// Reads a value that is written as text.
    ///
    /// - Throws: `.unknown`, `.outOfRange`, naming the key.
    public init(parsing text: String, key: String, input: String) throws(PlacementInputError) {
        let lowered = text.lowercased()
        if let place = try Self.numbered(lowered, key, input) {
            self = place
            return
        }
        switch lowered {
        case "cpu": self = .host
        case "disk": self = .disk
        case "cuda": self = .name("cuda:0")
        default:
            throw .unknown(
                input: input, name: "\(key): \(text)", expected: Self.form,
                nearest: EditDistance.nearest(to: lowered, in: ["cpu", "disk", "cuda:0", "stream:0"]))
        }
    }

    /// Reads a value that is written as a number.
    ///
    /// - Throws: `.outOfRange`, naming the key.
    public init(index: Int, key: String, input: String) throws(PlacementInputError) {
        guard (0..<DeviceSpec.deviceLimit).contains(index) else {
            throw .outOfRange(
                input: input, entry: "\(key): \(index)", expected: "a device from 0 to \(DeviceSpec.deviceLimit - 1)")
        }
        self = .index(index)
    }

    private static func numbered(_ text: String, _ key: String, _ input: String) throws(PlacementInputError) -> Self? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let last = parts.last, parts.count <= 2, let number = EntryText.number(last) else { return nil }
        guard number < DeviceSpec.deviceLimit else {
            throw .outOfRange(
                input: input, entry: "\(key): \(text)", expected: "a device below \(DeviceSpec.deviceLimit)")
        }
        if parts.count == 1 { return .index(number) }
        switch parts[0] {
        case "cuda", "cpu": return .name("\(parts[0]):\(number)")
        case "stream", "host": return .hostOnto(number)
        case "disk": return .diskOnto(number)
        default: return nil
        }
    }
}

extension DeviceMap.Place: CustomStringConvertible {
    public var description: String {
        switch self {
        case .index(let index): "\(index)"
        case .name(let name): name
        case .host: "cpu"
        case .disk: "disk"
        case .hostOnto(let index): "stream:\(index)"
        case .diskOnto(let index): "disk:\(index)"
        }
    }
}
