/// What a list of devices stands for on this machine: every entry found, in order.
public struct ResolvedDevices: Sendable, Hashable {
    /// What a device is made of.
    public enum Kind: Sendable, Hashable {
        /// The processor, or a part of it.
        case processor
        /// The card of this number in the driver's list, or a part of it.
        case card(Int)
    }

    /// One device.
    public struct Device: Sendable, Hashable {
        /// What it is made of.
        public var kind: Kind

        /// Its number among the devices of its kind: that of the card, or its place where a card is divided.
        public var number: Int

        /// Bytes that may be used of it; nil for all that are free.
        public var byteCount: Int?

        /// The entry that asked for it.
        public var entry: String

        /// What it is called: `cuda:0`, `cpu:1`.
        public var name: String { kind == .processor ? "cpu:\(number)" : "cuda:\(number)" }
    }

    /// The devices in order; never empty.
    public private(set) var devices: [Device] = []

    /// Whether a card is several devices.
    public let dividesCards: Bool

    private let input: String

    /// Finds every device of a list.
    ///
    /// - Parameters:
    ///   - cards: what the driver shows, in its order.
    ///   - input: what errors call the list.
    /// - Throws: `.unknown` for a card that is not there, `.ambiguous`, `.duplicate` for a card that is named in two ways
    ///   without sizes.
    public init(
        _ spec: DeviceSpec, cards: [VisibleCard], input: String = "--devices"
    ) throws(PlacementInputError) {
        self.input = input
        var found: [Device] = []
        for device in spec.devices {
            for kind in try Self.kinds(device.identity, cards, input) {
                let entry = device.description
                if kind != .processor, let first = found.first(where: { $0.kind == kind }),
                    device.byteCount == nil || first.byteCount == nil
                {
                    throw .duplicate(input: input, entry: entry, first: first.entry)
                }
                found.append(Device(kind: kind, number: 0, byteCount: device.byteCount, entry: entry))
            }
        }
        let numbers = found.compactMap(\.card)
        dividesCards = Set(numbers).count < numbers.count
        var processors = 0
        var parts = 0
        for var device in found {
            switch device.kind {
            case .processor:
                device.number = processors
                processors += 1
            case .card(let card):
                device.number = dividesCards ? parts : card
                parts += 1
            }
            devices.append(device)
        }
    }

    /// The card of each device that is one, by the driver's numbers.
    public var cards: [Int] { devices.compactMap(\.card) }

    /// Whether a processor computes beside cards.
    public var isMixed: Bool { !cards.isEmpty && cards.count < devices.count }

    /// The devices at some places only.
    public func keeping(_ places: [Int]) -> ResolvedDevices {
        var kept = self
        kept.devices = places.map { devices[$0] }
        return kept
    }

    /// The devices with at most so many bytes of each.
    ///
    /// - Parameter limit: the cap of the device at a place; nil for none.
    public func capped(_ limit: (Int) -> Int?) -> ResolvedDevices {
        var capped = self
        for place in devices.indices {
            capped.devices[place].byteCount = [devices[place].byteCount, limit(place)].compactMap(\.self).min()
        }
        return capped
    }

    /// Refuses sizes that are larger than what is free.
    ///
    /// - Parameter free: bytes that nobody has taken, by the card's number.
    /// - Throws: `.outOfRange` with both numbers.
    public func check(free: [Int: Int]) throws(PlacementInputError) {
        for card in Set(cards).sorted() {
            let parts = devices.filter { $0.card == card }
            let asked = parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
            guard let available = free[card], asked > available else { continue }
            throw .outOfRange(
                input: input, entry: parts.map(\.entry).joined(separator: ","),
                expected: "at most \(ByteSize.text(available)), which are free on card \(card), instead of "
                    + "\(ByteSize.text(asked)); ask for less, or end other programs on it")
        }
    }

    private static func kinds(
        _ identity: DeviceSpec.Device.Identity, _ cards: [VisibleCard], _ input: String
    ) throws(PlacementInputError) -> [Kind] {
        switch identity {
        case .cpu: return [.processor]
        case .allCards:
            guard !cards.isEmpty else { throw unknown("cuda", cards, input) }
            return cards.indices.map(Kind.card)
        case .card(let index):
            guard cards.indices.contains(index) else { throw unknown("cuda:\(index)", cards, input) }
            return [.card(index)]
        case .named(let name):
            let matches = cards.indices.filter { cards[$0].isNamed(name) }
            guard let match = matches.first else { throw unknown(name, cards, input) }
            guard matches.count == 1 else {
                throw .ambiguous(input: input, name: name, candidates: matches.map { cards[$0].uuid })
            }
            return [.card(match)]
        }
    }

    private static func unknown(_ name: String, _ cards: [VisibleCard], _ input: String) -> PlacementInputError {
        let list = cards.enumerated().map { "cuda:\($0) (\($1.name), \($1.shortUUID), \($1.pciID))" }
        return .unknown(
            input: input, name: name,
            expected: list.isEmpty
                ? "cpu: no card is visible"
                : "cpu or a visible card, by number, UUID or PCI id: "
                    + list.joined(separator: ", "), nearest: nil)
    }
}

extension ResolvedDevices.Device {
    /// The card's number; nil for a processor.
    public var card: Int? {
        if case .card(let card) = kind { return card }
        return nil
    }
}
