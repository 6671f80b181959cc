/// A card as the driver's libraries describe it.
public struct CardFacts: Sendable, Hashable, Codable {
    /// What programs may do with the card.
    public enum ComputeMode: String, Sendable, Hashable, CaseIterable, Codable {
        case normal = "default"
        case exclusive = "exclusive process"
        case prohibited
    }

    /// A process that uses the card.
    public struct CardProcess: Sendable, Hashable, Codable {
        /// Its number.
        public var pid: Int
        /// Its name; never part of a bundle.
        public var name: String?
        /// Bytes that it holds.
        public var usedBytes: Int?

        /// Describes a process.
        public init(pid: Int, name: String? = nil, usedBytes: Int? = nil) {
            self.pid = pid
            self.name = name
            self.usedBytes = usedBytes
        }
    }

    /// A part of a divided card.
    public struct Instance: Sendable, Hashable, Codable {
        /// `MIG-` and a UUID.
        public var uuid: String
        /// The GPU instance's number.
        public var gpuInstance: Int
        /// The compute instance's number.
        public var computeInstance: Int
        /// Bytes of its memory.
        public var totalBytes: Int?

        /// Describes an instance.
        public init(uuid: String, gpuInstance: Int, computeInstance: Int, totalBytes: Int? = nil) {
            self.uuid = uuid
            self.gpuInstance = gpuInstance
            self.computeInstance = computeInstance
            self.totalBytes = totalBytes
        }
    }

    /// Errors of the memory.
    public struct MemoryErrors: Sendable, Hashable, Codable {
        /// Whether errors are corrected and counted.
        public var isEnabled: Bool?
        /// Errors that could not be corrected, since the driver was loaded.
        public var uncorrected: Int?
        /// The same over the card's life.
        public var uncorrectedEver: Int?
        /// Whether rows or pages wait for the next reset to be replaced.
        public var isRemapPending: Bool?
        /// Whether a row could not be replaced.
        public var hasRemapFailed: Bool?

        /// Nothing known yet.
        public init() {}
    }

    /// One NVLink connection.
    public struct Nvlink: Sendable, Hashable, Codable {
        /// Its number on the card.
        public var link: Int
        /// Whether it is up.
        public var isActive: Bool

        /// Describes a connection.
        public init(link: Int, isActive: Bool) {
            self.link = link
            self.isActive = isActive
        }
    }

    /// The vendor's name.
    public var name: String?
    /// `GPU-` and its UUID.
    public var uuid: String?
    /// Its place on the bus.
    public var address: String?
    /// Compute capability times ten.
    public var capability: Int?
    /// Bytes of memory.
    public var totalBytes: Int?
    /// Bytes that nobody uses.
    public var freeBytes: Int?
    /// Who uses it.
    public var processes: [CardProcess]?
    /// Who may.
    public var computeMode: ComputeMode?
    /// Whether the driver stays loaded while nobody uses the card.
    public var isPersistent: Bool?
    /// Whether a screen is driven by it.
    public var hasDisplay: Bool?
    /// Whether it is a part of a card given to a virtual machine.
    public var isVirtual: Bool?
    /// Whether it can be divided and is; nil where it cannot.
    public var isDivided: Bool?
    /// The parts of a divided card.
    public var instances: [Instance]?
    /// Errors of the memory.
    public var memoryErrors: MemoryErrors?
    /// Why its clocks are lower than they could be now.
    ///
    /// In NVML's words, such as `idle`, `power cap`, `power brake`, `software thermal slowdown`.
    public var throttleReasons: [String]?
    /// Degrees Celsius.
    public var temperature: Double?
    /// Degrees Celsius at which clocks fall.
    public var slowdownTemperature: Double?
    /// Watts now.
    public var power: Double?
    /// Most watts that it may take.
    public var powerLimit: Double?
    /// Most watts as the vendor set it.
    public var defaultPowerLimit: Double?
    /// The PCIe connection.
    public var link: LinkFacts?
    /// The memory node that it is near to; -1 when the machine has but one.
    public var memoryNode: Int?
    /// NVLink connections.
    public var nvlinks: [Nvlink]?
    /// Head sizes for which attention is computed without a score matrix; nil when that is not known.
    public var fusedHeadSizes: [Int]?

    /// Nothing known yet.
    public init() {}
}
