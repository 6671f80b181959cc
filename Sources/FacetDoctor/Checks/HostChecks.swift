extension Check {
    /// The machine, its cards aside.
    static let host: [Check] = [
        Check(.host, "processor", processor), Check(.host, "instruction set", instructionSet),
        Check(.host, "memory", memory), Check(.host, "swap", swap),
        Check(.host, "transparent huge pages", hugePages), Check(.host, "shared memory", sharedMemory),
        Check(.host, "locked memory", lockedMemory), Check(.host, "open files", openFiles),
    ]

    private static func processor(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let host = facts.host, let count = host.processorCount else { return [] }
        let found = "\(FactText.count(count, "thread")), \(host.processor ?? "unknown processor")"
        guard let quota = host.processorQuota, quota < Double(count) else { return [check.ok(found)] }
        let threads = max(1, Int(quota))
        return [
            check.warn(
                "\(found); a container's quota of \(FactText.number(quota))", needed: "as many as there are threads",
                remedy: "run with --threads \(threads), or raise the container's CPU limit")
        ]
    }

    private static func instructionSet(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let host = facts.host, let set = host.instructionSet else { return [] }
        if let forced = facts.environment?.facetIsa, !forced.isEmpty, forced != set {
            return [
                check.warn(
                    "\(forced), forced by FACET_ISA", needed: set, remedy: "unset FACET_ISA; it is for measurements")
            ]
        }
        guard set == "portable", host.architecture == "x86_64" else { return [check.ok(set)] }
        return [
            check.warn(
                "\(set): no AVX2", needed: "avx2 or avx512",
                remedy: "expect a fraction of the speed; in a virtual machine pass the host's processor through")
        ]
    }

    private static func memory(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let host = facts.host, let available = host.availableBytes else { return [] }
        var found = "\(FactText.bytes(available)) available"
        if let total = host.totalBytes { found += " of \(FactText.bytes(total))" }
        guard let limit = host.groupLimitBytes, limit < host.totalBytes ?? .max else { return [check.ok(found)] }
        found += ", a container's limit of \(FactText.bytes(limit))"
        if let used = host.groupUsedBytes { found += " with \(FactText.bytes(used)) taken" }
        return [check.note(found)]
    }

    private static func swap(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let bytes = facts.host?.swapBytes else { return [] }
        guard bytes > 0 else { return [check.ok("none")] }
        let used = facts.host?.swapUsedBytes ?? 0
        let found = "\(FactText.bytes(bytes)), \(FactText.bytes(used)) in use"
        // A little of it is always in use on a machine that has run for long.
        guard used > bytes / 2, used > 1 << 30 else { return [check.ok(found)] }
        return [
            check.warn(
                found, needed: "mostly free", remedy: "something else needs the memory; end it before loading a model")
        ]
    }

    private static func hugePages(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let mode = facts.host?.transparentHugePages else { return [] }
        guard mode == "never" else { return [check.ok(mode)] }
        return [
            check.note(
                mode, needed: "madvise or always",
                remedy: "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
        ]
    }

    private static func sharedMemory(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let bytes = facts.host?.sharedMemoryBytes else { return [] }
        let found = FactText.bytes(bytes)
        guard bytes < 64 << 20 else { return [check.ok(found)] }
        return [
            check.note(
                found, needed: "64 MiB for several processes that share a model",
                remedy: "a container needs --shm-size=1g only when more than one process serves")
        ]
    }

    /// Matters only where cards are fed from memory that must not move.
    private static func lockedMemory(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let bytes = facts.host?.lockedMemoryLimitBytes else { return [] }
        guard bytes >= 0 else { return [check.ok("unlimited")] }
        let found = FactText.bytes(bytes)
        guard bytes < 64 << 20, !CardList(facts).isEmpty else { return [check.ok(found)] }
        return [
            check.note(
                found, needed: "64 MiB to lock buffers without the driver's help",
                remedy: "ulimit -l unlimited; in a container --ulimit memlock=-1")
        ]
    }

    private static func openFiles(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let limit = facts.host?.openFileLimit else { return [] }
        guard limit >= 0, limit < 256 else { return [check.ok(limit < 0 ? "unlimited" : "\(limit)")] }
        return [
            check.warn("\(limit)", needed: "256", remedy: "ulimit -n 1024: a model's files stay open while it is used")
        ]
    }
}
