/// A card as the driver lists it: what CUDA_VISIBLE_DEVICES chooses from.
public struct PhysicalCard: Sendable, Hashable {
    /// A part of a card that works as a card of its own (MIG).
    public struct Instance: Sendable, Hashable {
        /// Its name, `MIG-` and a UUID.
        public var uuid: String

        /// The GPU instance's number.
        public var gpuInstance: Int

        /// The compute instance's number inside it.
        public var computeInstance: Int

        /// Describes an instance.
        public init(uuid: String, gpuInstance: Int, computeInstance: Int) {
            self.uuid = uuid
            self.gpuInstance = gpuInstance
            self.computeInstance = computeInstance
        }
    }

    /// Its name, `GPU-` and a UUID.
    public var uuid: String

    /// Its place on the bus, such as `0000:65:00.0`.
    public var pciID: String

    /// How fast it is compared with the others, in any unit; nil when that is not known.
    public var speed: Double?

    /// The instances that it is divided into; empty for a card as a whole.
    public var instances: [Instance]

    /// Describes a card.
    public init(uuid: String, pciID: String, speed: Double? = nil, instances: [Instance] = []) {
        self.uuid = uuid
        self.pciID = pciID
        self.speed = speed
        self.instances = instances
    }
}

/// In which order CUDA numbers the cards: the value of CUDA_DEVICE_ORDER.
public enum DeviceOrder: String, Sendable, Hashable, CaseIterable {
    /// The fastest first; CUDA's own choice when nothing is said.
    case fastestFirst = "FASTEST_FIRST"
    /// By place on the bus, as `nvidia-smi` lists them.
    case pciBusID = "PCI_BUS_ID"

    /// Reads the variable; nothing, or an empty text, is CUDA's default.
    ///
    /// - Throws: `.unknown`. CUDA itself falls back to its default without a word.
    public init(parsing text: String?) throws(PlacementInputError) {
        guard let text, !text.isEmpty else {
            self = .fastestFirst
            return
        }
        guard let order = DeviceOrder(rawValue: text) else {
            let names = Self.allCases.map(\.rawValue)
            throw .unknown(
                input: "CUDA_DEVICE_ORDER", name: text, expected: names.joined(separator: " or "),
                nearest: EditDistance.nearest(to: text, in: names))
        }
        self = order
    }

    /// The indices of the cards in this order.
    ///
    /// The speeds decide only when every card has one; equal cards keep the order of the bus.
    public func sorted(_ cards: [PhysicalCard]) -> [Int] {
        let byBus = cards.indices.sorted {
            (Self.busKey(cards[$0].pciID), $0) < (Self.busKey(cards[$1].pciID), $1)
        }
        let speeds = cards.compactMap(\.speed)
        guard self == .fastestFirst, speeds.count == cards.count else { return byBus }
        return byBus.enumerated().sorted { left, right in
            let (faster, slower) = (speeds[left.element], speeds[right.element])
            return faster == slower ? left.offset < right.offset : faster > slower
        }.map(\.element)
    }

    /// A bus id as four comparable numbers' digits: domain, bus, device, function, each padded.
    static func busKey(_ pciID: String) -> String {
        var fields = pciID.lowercased().split { $0 == ":" || $0 == "." }.map(String.init)
        while fields.count < 4 { fields.insert("0", at: 0) }
        return fields.map { field in
            let digits = field.drop { $0 == "0" }
            return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        }.joined(separator: ":")
    }
}
