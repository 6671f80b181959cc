import FacetTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads what the machine is, its cards aside.
public struct HostProbe: Sendable {
    private let roots: SystemRoots

    /// Looks below these places.
    public init(_ roots: SystemRoots = .standard) { self.roots = roots }

    /// The facts; what cannot be read stays nil.
    public func facts() -> HostFacts {
        var facts = HostFacts()
        processor(&facts)
        memory(&facts)
        groupLimits(&facts)
        limits(&facts)
        facts.kernel = SystemFile.text("\(roots.proc)/sys/kernel/osrelease")
        facts.system = SystemFile.text("\(roots.etc)/os-release")
            .flatMap { SystemTable.value("PRETTY_NAME", in: $0) }?.filter { $0 != "\"" }
        facts.transparentHugePages = hugePages()
        facts.sharedMemoryBytes = Self.fileSystemByteCount("\(roots.dev)/shm")
        return facts
    }

    private func processor(_ facts: inout HostFacts) {
        let table = SystemFile.text("\(roots.proc)/cpuinfo") ?? ""
        facts.processor = SystemTable.value("model name", in: table)
        facts.architecture = Self.architecture
        facts.instructionSet = InstructionSet.best.rawValue
        let status = SystemFile.text("\(roots.proc)/self/status") ?? ""
        facts.allowedProcessors = SystemTable.value("Cpus_allowed_list", in: status)
        facts.processorCount = facts.allowedProcessors.map { SystemTable.numbers($0).count }
        facts.memoryNodes = memoryNodes()
    }

    private func memoryNodes() -> [MemoryNode]? {
        let folder = "\(roots.sys)/devices/system/node"
        let nodes = SystemFile.names(folder)?.compactMap { name -> MemoryNode? in
            guard name.hasPrefix("node"), let number = Int(name.dropFirst(4)) else { return nil }
            return SystemFile.text("\(folder)/\(name)/cpulist").map { MemoryNode(node: number, processors: $0) }
        }
        return nodes?.sorted { $0.node < $1.node }
    }

    private func memory(_ facts: inout HostFacts) {
        guard let table = SystemFile.text("\(roots.proc)/meminfo") else { return }
        facts.totalBytes = SystemTable.bytes("MemTotal", in: table)
        facts.availableBytes = SystemTable.bytes("MemAvailable", in: table)
        facts.swapBytes = SystemTable.bytes("SwapTotal", in: table)
        if let total = facts.swapBytes, let free = SystemTable.bytes("SwapFree", in: table) {
            facts.swapUsedBytes = total - free
        }
    }

    /// The tightest limits of the control groups that this process is in: each group's limit holds for those below it.
    private func groupLimits(_ facts: inout HostFacts) {
        for folder in groupFolders() {
            let limit =
                SystemFile.integer("\(folder)/memory.max") ?? SystemFile.integer("\(folder)/memory.limit_in_bytes")
            // The first version writes "no limit" as a number near 2^63.
            if let limit, limit < 1 << 60, limit < facts.groupLimitBytes ?? .max {
                facts.groupLimitBytes = limit
                facts.groupUsedBytes = Self.usedByteCount(folder)
            }
            if let quota = Self.quota(folder), quota < facts.processorQuota ?? .infinity {
                facts.processorQuota = quota
            }
        }
    }

    /// Bytes that a group has taken, without the cache of files, which gives way.
    private static func usedByteCount(_ folder: String) -> Int? {
        let taken =
            SystemFile.integer("\(folder)/memory.current") ?? SystemFile.integer("\(folder)/memory.usage_in_bytes")
        let table = SystemFile.text("\(folder)/memory.stat") ?? ""
        let cache = table.split(separator: "\n").first { $0.hasPrefix("file ") || $0.hasPrefix("total_cache ") }
        let cached = cache?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        return taken.map { max(0, $0 - cached) }
    }

    /// The folders of the groups from the root down to this process, of both versions of the interface.
    private func groupFolders() -> [String] {
        let table = SystemFile.text("\(roots.proc)/self/cgroup") ?? ""
        var folders: [String] = []
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            guard fields[1].isEmpty || controllers.contains("memory") || controllers.contains("cpu") else { continue }
            let root = "\(roots.sys)/fs/cgroup" + (fields[1].isEmpty ? "" : "/\(fields[1])")
            var folder = root
            folders.append(root)
            for name in fields[2].split(separator: "/") where name != ".." {
                folder += "/\(name)"
                folders.append(folder)
            }
        }
        return folders
    }

    private static func quota(_ folder: String) -> Double? {
        let current = SystemFile.text("\(folder)/cpu.max")?.split(separator: " ").map { Double($0) }
        let values =
            current
            ?? ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map { name in
                SystemFile.integer("\(folder)/\(name)").map(Double.init)
            }
        guard values.count == 2, let quota = values[0], let period = values[1], quota > 0, period > 0 else {
            return nil
        }
        return quota / period
    }

    private func limits(_ facts: inout HostFacts) {
        guard let table = SystemFile.text("\(roots.proc)/self/limits") else { return }
        facts.lockedMemoryLimitBytes = Self.softLimit("Max locked memory", in: table)
        facts.openFileLimit = Self.softLimit("Max open files", in: table)
    }

    /// The first number behind a name; -1 for `unlimited`.
    private static func softLimit(_ name: String, in table: String) -> Int? {
        guard let line = table.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        guard let word = line.dropFirst(name.count).split(separator: " ").first else { return nil }
        return word == "unlimited" ? -1 : Int(word)
    }

    /// The word in brackets of `always [madvise] never`.
    private func hugePages() -> String? {
        let text = SystemFile.text("\(roots.sys)/kernel/mm/transparent_hugepage/enabled")
        guard let text, let open = text.firstIndex(of: "["), let close = text.firstIndex(of: "]") else { return nil }
        return open < close ? String(text[text.index(after: open)..<close]) : nil
    }

    /// Bytes of the file system that a path is on.
    static func fileSystemByteCount(_ path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        return Int(clamping: UInt64(status.f_blocks) * UInt64(status.f_frsize))
    }

    private static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }
}
