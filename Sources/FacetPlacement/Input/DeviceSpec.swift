/// Which devices to use, in order: the value of `--devices`.
///
/// `cpu` is the processor as one device, `cpu:4` divides it into four, `cpu:0=2GiB,cpu:1=1GiB` gives each a memory of
/// its own. `cuda` is every visible card, `cuda:0,1` two of them, `cuda:0=20GiB` one with a cap; a card may also be
/// named by its UUID (`GPU-8932f937`, or as much as is unique), its MIG name or its PCI id (`0000:65:00.0`).
/// `cuda:0=2GiB,cuda:0=3GiB` divides a card into two logical devices: then each of them has a size.
public struct DeviceSpec: Sendable, Hashable {
    /// One entry of the list, with divisions and continuations written out.
    public struct Device: Sendable, Hashable {
        /// Which device.
        public enum Identity: Sendable, Hashable {
            /// The processor, or the logical device of this index.
            case cpu(Int)
            /// Every visible card.
            case allCards
            /// The visible card of this index.
            case card(Int)
            /// The card whose UUID, MIG name or PCI id begins so.
            case named(String)
        }

        /// Which device.
        public var identity: Identity

        /// Bytes that may be used of it; nil for all that are free.
        public var byteCount: Int?

        /// Names a device.
        public init(_ identity: Identity, byteCount: Int? = nil) {
            self.identity = identity
            self.byteCount = byteCount
        }
    }

    /// No list of devices, and no index into one, goes beyond this.
    public static let deviceLimit = 256

    /// The devices in order; never empty.
    public private(set) var devices: [Device] = []

    private var input: String

    /// Reads a list.
    ///
    /// - Throws: `.malformed`, `.unknown`, `.duplicate`, `.outOfRange`.
    public init(parsing text: String, input: String = "--devices") throws(PlacementInputError) {
        self.input = input
        var entries: [String] = []
        for entry in EntryText.entries(of: text) {
            let (name, value) = EntryText.sides(of: entry)
            var byteCount: Int?
            if let value { byteCount = try ByteSize.parse(value, input: input, entry: entry) }
            for identity in try identities(name, entry, hasSize: byteCount != nil) {
                let device = Device(identity, byteCount: byteCount)
                if let first = devices.firstIndex(where: { $0.identity == identity && !$0.isPart(beside: device) }) {
                    throw .duplicate(input: input, entry: entry, first: entries[first])
                }
                devices.append(device)
                entries.append(entry)
            }
            guard devices.count <= Self.deviceLimit else {
                throw .outOfRange(input: input, entry: entry, expected: "at most \(Self.deviceLimit) devices")
            }
        }
        try checkProcessors(entries)
        try checkCards(entries)
    }

    private static let form = "cpu, cpu:COUNT, cpu:INDEX=SIZE, cuda, cuda:INDEX, a card's UUID or its PCI id"

    private func identities(
        _ name: String, _ entry: String, hasSize: Bool
    ) throws(PlacementInputError) -> [Device.Identity] {
        let lowered = name.lowercased()
        if lowered == "cpu" { return [.cpu(0)] }
        if lowered == "cuda" { return [.allCards] }
        if lowered.hasPrefix("cpu:") {
            let number = try index(lowered.dropFirst(4), entry)
            if hasSize { return [.cpu(number)] }
            guard number > 0 else {
                throw .outOfRange(input: input, entry: entry, expected: "cpu:COUNT with a count from 1")
            }
            return (0..<number).map(Device.Identity.cpu)
        }
        if lowered.hasPrefix("cuda:") { return [.card(try index(lowered.dropFirst(5), entry))] }
        if lowered.hasPrefix("gpu-") || lowered.hasPrefix("mig-") || Self.isPCI(lowered) { return [.named(lowered)] }
        if EntryText.number(lowered) != nil { return [try continuation(lowered, entry)] }
        guard !name.isEmpty else { throw .malformed(input: input, entry: entry, expected: Self.form) }
        throw .unknown(
            input: input, name: name, expected: Self.form,
            nearest: EditDistance.nearest(to: lowered, in: ["cpu", "cuda", "cpu:2", "cuda:0"]))
    }

    /// A number alone continues a list of cards, or begins one.
    private func continuation(_ digits: String, _ entry: String) throws(PlacementInputError) -> Device.Identity {
        if case .cpu = devices.last?.identity {
            throw .malformed(input: input, entry: entry, expected: "cuda:\(digits) or cpu:\(digits)=SIZE behind a cpu")
        }
        return .card(try index(digits, entry))
    }

    private func index(_ digits: some StringProtocol, _ entry: String) throws(PlacementInputError) -> Int {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else {
            throw .malformed(input: input, entry: entry, expected: Self.form)
        }
        guard let number = Int(digits), number < Self.deviceLimit else {
            throw .outOfRange(input: input, entry: entry, expected: "a number below \(Self.deviceLimit)")
        }
        return number
    }

    /// Logical processors are numbered from 0 without a gap, in order.
    private func checkProcessors(_ entries: [String]) throws(PlacementInputError) {
        var next = 0
        for (device, entry) in zip(devices, entries) {
            guard case .cpu(let index) = device.identity else { continue }
            guard index == next else {
                throw .malformed(
                    input: input, entry: entry, expected: "cpu:\(next)=SIZE here: logical devices count from 0")
            }
            next += 1
        }
    }

    /// `cuda` is every card, so nothing can be added to it.
    private func checkCards(_ entries: [String]) throws(PlacementInputError) {
        guard let all = devices.firstIndex(where: { $0.identity == .allCards }) else { return }
        for (device, entry) in zip(devices, entries) {
            switch device.identity {
            case .card, .named: throw .duplicate(input: input, entry: entry, first: entries[all])
            case .cpu, .allCards: continue
            }
        }
    }

    /// `65:00.0` or `0000:65:00.0`, hexadecimal.
    static func isPCI(_ text: String) -> Bool {
        let halves = text.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count == 2, halves[1].count == 1 else { return false }
        let fields = halves[0].split(separator: ":", omittingEmptySubsequences: false) + [halves[1]]
        return (3...4).contains(fields.count)
            && fields.allSatisfy { !$0.isEmpty && $0.utf8.count <= 8 && $0.allSatisfy(\.isHexDigit) }
    }
}

extension DeviceSpec.Device {
    /// Whether two entries may name one card: as parts of it, which have sizes.
    func isPart(beside other: Self) -> Bool {
        switch identity {
        case .card, .named: byteCount != nil && other.byteCount != nil
        case .cpu, .allCards: false
        }
    }
}

extension DeviceSpec.Device: CustomStringConvertible {
    /// As a list would name it.
    public var description: String {
        let name =
            switch identity {
            case .cpu(let index): "cpu:\(index)"
            case .allCards: "cuda"
            case .card(let index): "cuda:\(index)"
            case .named(let name): name
            }
        return name + (byteCount.map { "=" + ByteSize.exactText($0) } ?? "")
    }
}
