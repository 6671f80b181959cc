/// The machine without its cards.
public struct HostFacts: Sendable, Hashable, Codable {
    /// The processor's name for itself.
    public var processor: String?
    /// The architecture, such as `x86_64`.
    public var architecture: String?
    /// Processors that this process may run on.
    public var processorCount: Int?
    /// Those processors' numbers as the kernel writes lists, such as `0-15,32`.
    public var allowedProcessors: String?
    /// Processors' worth of time that the control group allows; nil for no limit.
    public var processorQuota: Double?
    /// The widest instruction set that the kernels use here.
    public var instructionSet: String?
    /// The distribution's name.
    public var system: String?
    /// The kernel's release.
    public var kernel: String?
    /// Memory nodes and the processors of each.
    public var memoryNodes: [MemoryNode]?
    /// Bytes of memory.
    public var totalBytes: Int?
    /// Bytes that can be taken without swapping.
    public var availableBytes: Int?
    /// The control group's limit; nil for none.
    public var groupLimitBytes: Int?
    /// Bytes that the control group has taken of it, the cache of files aside.
    public var groupUsedBytes: Int?
    /// Bytes of swap.
    public var swapBytes: Int?
    /// Bytes of swap in use.
    public var swapUsedBytes: Int?
    /// `always`, `madvise` or `never`.
    public var transparentHugePages: String?
    /// Bytes of `/dev/shm`.
    public var sharedMemoryBytes: Int?
    /// Bytes that may be locked; -1 for no limit.
    public var lockedMemoryLimitBytes: Int?
    /// Files that may be open; -1 for no limit.
    public var openFileLimit: Int?

    /// Nothing known yet.
    public init() {}
}

/// A part of the memory and the processors that are near to it.
public struct MemoryNode: Sendable, Hashable, Codable {
    /// Its number.
    public var node: Int
    /// The processors' numbers as the kernel writes lists.
    public var processors: String

    /// Describes a node.
    public init(node: Int, processors: String) {
        self.node = node
        self.processors = processors
    }
}
