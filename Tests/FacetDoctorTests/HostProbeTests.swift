import FacetDoctor
import Testing

@Suite("Host probe")
struct HostProbeTests {
    @Test("reads the kernel's tables")
    func tables() throws {
        let system = try PlantedSystem()
        try system.plant("proc/cpuinfo", "processor\t: 0\nmodel name\t: Example 9 CPU @ 3.00GHz\n\nprocessor\t: 1\n")
        try system.plant("proc/self/status", "Name:\tfacet\nCpus_allowed_list:\t0-3,8\n")
        try system.plant(
            "proc/meminfo",
            "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\nSwapTotal: 2048 kB\nSwapFree: 512 kB\n")
        try system.plant("proc/sys/kernel/osrelease", "6.8.0-45-generic\n")
        try system.plant("etc/os-release", "NAME=\"Example\"\nPRETTY_NAME=\"Example Linux 24.04\"\n")
        try system.plant(
            "proc/self/limits",
            """
            Limit                     Soft Limit           Hard Limit           Units
            Max open files            1024                 524288               files
            Max locked memory         unlimited            unlimited            bytes

            """)
        try system.plant("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        try system.plant("sys/devices/system/node/node1/cpulist", "8-15\n")
        try system.plant("sys/devices/system/node/node0/cpulist", "0-7\n")
        try system.plant("sys/devices/system/node/online", "0-1\n")
        let facts = HostProbe(system.roots).facts()
        #expect(facts.processor == "Example 9 CPU @ 3.00GHz")
        #expect(facts.processorCount == 5 && facts.allowedProcessors == "0-3,8")
        #expect(facts.totalBytes == 16 << 20 && facts.availableBytes == 8 << 20)
        #expect(facts.swapBytes == 2 << 20 && facts.swapUsedBytes == 1536 << 10)
        #expect(facts.kernel == "6.8.0-45-generic" && facts.system == "Example Linux 24.04")
        #expect(facts.openFileLimit == 1024 && facts.lockedMemoryLimitBytes == -1)
        #expect(facts.transparentHugePages == "madvise")
        #expect(facts.memoryNodes == [MemoryNode(node: 0, processors: "0-7"), MemoryNode(node: 1, processors: "8-15")])
        #expect(facts.groupLimitBytes == nil && facts.processorQuota == nil)
    }

    @Test("takes the tightest limit on the way down the control groups, cached files not counted")
    func groups() throws {
        let system = try PlantedSystem()
        try system.plant("proc/self/cgroup", "0::/outer/inner\n")
        try system.plant("sys/fs/cgroup/outer/memory.max", "4294967296\n")
        try system.plant("sys/fs/cgroup/outer/memory.current", "3000000000\n")
        try system.plant("sys/fs/cgroup/outer/memory.stat", "anon 900000000\nfile 2000000000\n")
        try system.plant("sys/fs/cgroup/outer/cpu.max", "max 100000\n")
        try system.plant("sys/fs/cgroup/outer/inner/memory.max", "max\n")
        try system.plant("sys/fs/cgroup/outer/inner/cpu.max", "250000 100000\n")
        let facts = HostProbe(system.roots).facts()
        #expect(facts.groupLimitBytes == 4 << 30 && facts.groupUsedBytes == 1_000_000_000)
        #expect(facts.processorQuota == 2.5)
    }

    @Test("knows the first version of control groups, where no limit is a huge number")
    func oldGroups() throws {
        let system = try PlantedSystem()
        try system.plant("proc/self/cgroup", "7:memory:/box\n3:cpu,cpuacct:/box\n2:pids:/box\n")
        try system.plant("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        try system.plant("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1073741824\n")
        try system.plant("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "600000000\n")
        try system.plant("sys/fs/cgroup/memory/box/memory.stat", "cache 1\ntotal_cache 200000000\n")
        try system.plant("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "50000\n")
        try system.plant("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n")
        let facts = HostProbe(system.roots).facts()
        #expect(facts.groupLimitBytes == 1 << 30 && facts.groupUsedBytes == 400_000_000)
        #expect(facts.processorQuota == 0.5)
    }

    @Test("finds nothing where there is nothing, and does not fail")
    func emptySystem() throws {
        let facts = HostProbe(try PlantedSystem().roots).facts()
        #expect(facts.processor == nil && facts.totalBytes == nil && facts.memoryNodes == nil)
        #expect(facts.instructionSet != nil)
    }

    @Test("tables of nonsense give nothing")
    func nonsense() throws {
        let system = try PlantedSystem()
        try system.plant("proc/meminfo", "MemTotal: many kB\nMemAvailable\n")
        try system.plant("proc/self/status", "Cpus_allowed_list:\t7-3,x,-1,99999999999\n")
        try system.plant("proc/self/limits", "Max open files\nMax locked memory            lots\n")
        try system.plant("proc/self/cgroup", "0\n::\n0::/../..\n")
        try system.plant("sys/kernel/mm/transparent_hugepage/enabled", "]always[\n")
        let facts = HostProbe(system.roots).facts()
        #expect(facts.totalBytes == nil && facts.availableBytes == nil && facts.processorCount == 0)
        #expect(facts.openFileLimit == nil && facts.lockedMemoryLimitBytes == nil)
        #expect(facts.transparentHugePages == nil)
    }

    @Test("this machine has a processor and memory")
    func thisMachine() {
        let facts = HostProbe().facts()
        #expect((facts.processorCount ?? 0) > 0 && (facts.totalBytes ?? 0) > 1 << 28)
    }
}
