/// Where a chain has to go: one entry of `--place`, such as `vision=1`, `vision=stream` or `decoder=0-1`.
public struct PlaceSpec: Sendable, Hashable {
    /// The chain that is placed.
    public enum Chain: String, Sendable, Hashable, CaseIterable {
        case vision
        case decoder
    }

    /// How its units are held.
    public enum Mode: Sendable, Hashable {
        /// On these devices, ascending; all its weights stay there.
        case devices([Int])
        /// Computed on the given devices, on any without one, from weights that stay in host memory.
        case stream([Int]?)
        /// Likewise, from weights that stay in the checkpoint's files.
        case disk([Int]?)
        /// Computed by the processor.
        case cpu
    }

    /// The chain.
    public var chain: Chain

    /// Where it goes.
    public var mode: Mode

    /// Places a chain.
    public init(_ chain: Chain, _ mode: Mode) {
        self.chain = chain
        self.mode = mode
    }

    /// Reads entries `CHAIN=PLACE` between commas.
    ///
    /// A place is a device (`1`, `cuda:1`), a range (`0-1`), several joined by `+` (`0+2`), `cpu`, `stream`, `disk`,
    /// or the last two with the devices that compute (`stream:1`).
    /// - Throws: `.malformed`, `.unknown`, `.duplicate`, `.outOfRange`.
    public static func parse(_ text: String, input: String = "--place") throws(PlacementInputError) -> [PlaceSpec] {
        var result: [PlaceSpec] = []
        for entry in EntryText.entries(of: text) {
            let (name, value) = EntryText.sides(of: entry)
            guard !name.isEmpty, let value, !value.isEmpty else {
                throw .malformed(input: input, entry: entry, expected: form)
            }
            guard let chain = Chain(rawValue: name.lowercased()) else {
                throw .unknown(
                    input: input, name: name, expected: "vision or decoder",
                    nearest: EditDistance.nearest(to: name, in: Chain.allCases.map(\.rawValue)))
            }
            if let first = result.first(where: { $0.chain == chain }) {
                throw .duplicate(input: input, entry: entry, first: "\(first)")
            }
            result.append(PlaceSpec(chain, try mode(value.lowercased(), entry, input)))
        }
        return result
    }

    /// Checks that every device that is named exists.
    ///
    /// - Throws: `.unknown`.
    public func check(deviceCount: Int, input: String = "--place") throws(PlacementInputError) {
        guard let beyond = devices.first(where: { $0 >= deviceCount }) else { return }
        throw .unknown(
            input: input, name: "\(chain.rawValue)=\(beyond)",
            expected: deviceCount == 1 ? "device 0, the only one" : "a device from 0 to \(deviceCount - 1)",
            nearest: nil)
    }

    /// The devices that are named; empty when any will do.
    public var devices: [Int] {
        switch mode {
        case .devices(let devices): devices
        case .stream(let devices), .disk(let devices): devices ?? []
        case .cpu: []
        }
    }

    private static let form = "CHAIN=PLACE, such as vision=1, vision=stream, vision=cpu or decoder=0-1"

    private static func mode(_ value: String, _ entry: String, _ input: String) throws(PlacementInputError) -> Mode {
        switch value {
        case "cpu": return .cpu
        case "stream", "host": return .stream(nil)
        case "disk": return .disk(nil)
        default: break
        }
        for (prefix, isDisk) in [("stream:", false), ("host:", false), ("disk:", true)] where value.hasPrefix(prefix) {
            let devices = try devices(String(value.dropFirst(prefix.count)), entry, input)
            return isDisk ? .disk(devices) : .stream(devices)
        }
        return .devices(try devices(value, entry, input))
    }

    private static func devices(
        _ text: String, _ entry: String, _ input: String
    ) throws(PlacementInputError) -> [Int] {
        var result: Set<Int> = []
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count) else { throw .malformed(input: input, entry: entry, expected: form) }
            let first = try device(ends[0], entry, input)
            let last = ends.count == 2 ? try device(ends[1], entry, input) : first
            guard first <= last else {
                throw .malformed(input: input, entry: entry, expected: "a range upward, such as \(last)-\(first)")
            }
            result.formUnion(first...last)
        }
        return result.sorted()
    }

    private static func device(
        _ text: Substring, _ entry: String, _ input: String
    ) throws(PlacementInputError) -> Int {
        let name = EntryText.trimmed(text)
        let digits = name.hasPrefix("cuda:") ? String(name.dropFirst(5)) : name
        guard !digits.isEmpty, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else {
            if let word = EditDistance.nearest(to: name, in: ["cpu", "stream", "disk"]) {
                throw .unknown(
                    input: input, name: entry, expected: "a device, a range, cpu, stream or disk", nearest: word)
            }
            throw .malformed(input: input, entry: entry, expected: form)
        }
        guard let index = Int(digits), index < DeviceSpec.deviceLimit else {
            throw .outOfRange(input: input, entry: entry, expected: "a device below \(DeviceSpec.deviceLimit)")
        }
        return index
    }
}

extension PlaceSpec: CustomStringConvertible {
    public var description: String {
        let list = devices.map(String.init).joined(separator: "+")
        let place =
            switch mode {
            case .devices: list
            case .stream(let devices): devices == nil ? "stream" : "stream:\(list)"
            case .disk(let devices): devices == nil ? "disk" : "disk:\(list)"
            case .cpu: "cpu"
            }
        return "\(chain.rawValue)=\(place)"
    }
}
