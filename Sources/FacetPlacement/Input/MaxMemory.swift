/// Caps on the memory that a plan may use: `0=20GiB,1=22GiB,cpu=64GiB`, or one size for every card.
public struct MaxMemory: Sendable, Hashable {
    /// Caps by index into the list of devices, bytes.
    public var devices: [Int: Int]

    /// The cap of every device that has none of its own.
    public var everyDevice: Int?

    /// The cap on host memory.
    public var host: Int?

    /// Caps nothing.
    public init(devices: [Int: Int] = [:], everyDevice: Int? = nil, host: Int? = nil) {
        self.devices = devices
        self.everyDevice = everyDevice
        self.host = host
    }

    /// Reads caps: entries `DEVICE=SIZE` between commas, where a device is `0`, `cuda:0` or `cpu`; an entry that is a
    /// size alone caps every device without an entry of its own.
    ///
    /// - Throws: `.malformed`, `.unknown`, `.duplicate`, `.outOfRange`.
    public init(parsing text: String, input: String = "--max-memory") throws(PlacementInputError) {
        self.init()
        var entryOfKey: [String: String] = [:]
        for entry in EntryText.entries(of: text) {
            let (name, value) = EntryText.sides(of: entry)
            guard !name.isEmpty else { throw .malformed(input: input, entry: entry, expected: Self.form) }
            guard let value else {
                guard name.first?.isNumber == true else {
                    throw .malformed(input: input, entry: entry, expected: Self.form)
                }
                everyDevice = try ByteSize.parse(name, input: input)
                try Self.note("every device", entry, &entryOfKey, input)
                continue
            }
            let byteCount = try ByteSize.parse(value, input: input, entry: entry)
            if name.lowercased() == "cpu" {
                host = byteCount
                try Self.note("cpu", entry, &entryOfKey, input)
            } else {
                let index = try Self.index(name, input)
                devices[index] = byteCount
                try Self.note("\(index)", entry, &entryOfKey, input)
            }
        }
    }

    /// The cap of a device; nil when it has none.
    public func limit(device: Int) -> Int? { devices[device] ?? everyDevice }

    /// Checks that every device with a cap exists.
    ///
    /// - Throws: `.unknown`.
    public func check(deviceCount: Int, input: String = "--max-memory") throws(PlacementInputError) {
        guard let beyond = devices.keys.filter({ $0 >= deviceCount }).min() else { return }
        throw .unknown(
            input: input, name: "\(beyond)",
            expected: deviceCount == 1 ? "device 0, the only one" : "a device from 0 to \(deviceCount - 1)",
            nearest: nil)
    }

    private static let form = "DEVICE=SIZE, such as 0=20GiB or cpu=64GiB, or one size for every card"

    private static func index(_ name: String, _ input: String) throws(PlacementInputError) -> Int {
        let lowered = name.lowercased()
        let digits = lowered.hasPrefix("cuda:") ? lowered.dropFirst(5) : lowered[...]
        if let index = EntryText.number(digits) {
            guard index < DeviceSpec.deviceLimit else {
                throw .outOfRange(input: input, entry: name, expected: "a device below \(DeviceSpec.deviceLimit)")
            }
            return index
        }
        throw .unknown(
            input: input, name: name, expected: "a device: an index, cuda:INDEX or cpu",
            nearest: EditDistance.nearest(to: lowered, in: ["cpu", "cuda:0"]))
    }

    private static func note(
        _ key: String, _ entry: String, _ entries: inout [String: String], _ input: String
    ) throws(PlacementInputError) {
        if let first = entries.updateValue(entry, forKey: key) {
            throw .duplicate(input: input, entry: entry, first: first)
        }
    }
}
