/// The NVIDIA driver as the system shows it, without the driver's own libraries.
public struct DriverFacts: Sendable, Hashable, Codable {
    /// The loaded kernel module's version; nil when none is loaded.
    public var moduleVersion: String?
    /// Whether the loaded module is the one with open sources.
    public var isOpenModule: Bool?
    /// Device files.
    public var deviceFiles: [DeviceFile]?
    /// Cards on the PCI bus.
    public var pciCards: [PCICard]?
    /// Whether `libcuda.so.1` can be loaded.
    public var library: LibraryFacts?
    /// Whether the cards are reached through Windows.
    public var isWindowsSubsystem: Bool?
    /// Whether the machine translates the cards' addresses (IOMMU).
    public var hasAddressTranslation: Bool?
    /// Faults that the kernel's log tells of; nil when the log cannot be read, as it usually cannot.
    public var faults: [FaultFacts]?

    /// Nothing known yet.
    public init() {}
}

/// A device file of the driver.
public struct DeviceFile: Sendable, Hashable, Codable {
    /// Its name, such as `nvidia0`.
    public var name: String
    /// Whether this process may read and write it.
    public var isAccessible: Bool

    /// Describes a file.
    public init(name: String, isAccessible: Bool) {
        self.name = name
        self.isAccessible = isAccessible
    }
}

/// A library that is opened at run time.
public struct LibraryFacts: Sendable, Hashable, Codable {
    /// Its name, such as `libcuda.so.1`.
    public var name: String
    /// Whether it could be opened.
    public var isLoadable: Bool
    /// The version in its file's name, or that it tells.
    public var version: String?
    /// Why it could not be opened.
    public var reason: String?

    /// Describes a library.
    public init(name: String, isLoadable: Bool, version: String? = nil, reason: String? = nil) {
        self.name = name
        self.isLoadable = isLoadable
        self.version = version
        self.reason = reason
    }
}

/// A card on the PCI bus, as `/sys` and `/proc/driver/nvidia` show it.
public struct PCICard: Sendable, Hashable, Codable {
    /// Its place, such as `0000:65:00.0`.
    public var address: String
    /// The vendor's number of the model.
    public var model: String?
    /// Its name, from the driver.
    public var name: String?
    /// `GPU-` and its UUID, from the driver.
    public var uuid: String?
    /// The driver that has it, such as `nvidia`, `nouveau` or `vfio-pci`; nil for none.
    public var driver: String?
    /// The connection.
    public var link: LinkFacts?
    /// The memory node that it is near to; -1 when the machine has but one.
    public var memoryNode: Int?
    /// Bytes of its memory that the host can address at a time.
    public var windowBytes: Int?

    /// A card at a place.
    public init(address: String) { self.address = address }
}

/// A PCIe connection now, and at best.
public struct LinkFacts: Sendable, Hashable, Codable {
    /// Lanes now.
    public var width: Int?
    /// Lanes at best.
    public var maxWidth: Int?
    /// Generation now; falls at rest to save power.
    public var generation: Int?
    /// Generation at best.
    public var maxGeneration: Int?
    /// Whether it was read while data moved.
    public var isUnderLoad: Bool?

    /// Nothing known yet.
    public init() {}
}

/// A fault in the kernel's log.
public struct FaultFacts: Sendable, Hashable, Codable {
    /// The card's place on the bus.
    public var address: String
    /// The driver's number of the kind of fault (Xid).
    public var code: Int

    /// States a fault.
    public init(address: String, code: Int) {
        self.address = address
        self.code = code
    }
}
