import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

/// Verdicts that no machine of the fixtures needs.
@Suite("Checks")
struct CheckTests {
    /// The verdict of the first row of a check, as `warn`, or nil without a row.
    private func verdict(_ name: String, _ facts: Facts) -> Verdict? {
        Check.all.first { $0.name == name }?.findings(facts).map(\.verdict).max()
    }

    private func host(_ change: (inout HostFacts) -> Void) -> Facts {
        var facts = Facts()
        var host = HostFacts()
        change(&host)
        facts.host = host
        return facts
    }

    private func card(_ change: (inout CardFacts) -> Void) -> Facts {
        var facts = Facts()
        var card = CardFacts()
        change(&card)
        facts.gpu = GPUFacts()
        facts.gpu?.cards = [card]
        return facts
    }

    @Test("a container's quota below the number of threads is warned about, and named as an option")
    func quota() throws {
        let facts = host {
            $0.processorCount = 64; $0.processorQuota = 2.5
        }
        let rows = DoctorReport(facts).findings
        #expect(rows.map(\.verdict) == [.warn] && rows[0].remedy?.contains("--threads 2") == true)
        #expect(
            verdict(
                "processor",
                host {
                    $0.processorCount = 2; $0.processorQuota = 2
                }) == .ok)
    }

    @Test("an instruction set that is forced, or not there, is warned about")
    func instructionSet() {
        var forced = host {
            $0.instructionSet = "avx512"; $0.architecture = "x86_64"
        }
        #expect(verdict("instruction set", forced) == .ok)
        forced.environment = EnvironmentFacts(["FACET_ISA": "portable"])
        #expect(verdict("instruction set", forced) == .warn)
        #expect(
            verdict(
                "instruction set",
                host {
                    $0.instructionSet = "portable"; $0.architecture = "x86_64"
                }) == .warn)
        #expect(
            verdict(
                "instruction set",
                host {
                    $0.instructionSet = "portable"; $0.architecture = "aarch64"
                }) == .ok)
    }

    @Test(
        "limits of the host",
        arguments: [
            ("swap", Verdict.ok, HostCase { $0.swapBytes = 0 }),
            (
                "swap", .warn,
                HostCase {
                    $0.swapBytes = 8 << 30; $0.swapUsedBytes = 7 << 30
                }
            ),
            ("transparent huge pages", .note, HostCase { $0.transparentHugePages = "never" }),
            ("shared memory", .note, HostCase { $0.sharedMemoryBytes = 1 << 20 }),
            ("open files", .warn, HostCase { $0.openFileLimit = 64 }),
            ("open files", .ok, HostCase { $0.openFileLimit = -1 }),
            ("locked memory", .ok, HostCase { $0.lockedMemoryLimitBytes = 8 << 20 }),
        ])
    func limits(_ name: String, _ expected: Verdict, _ change: HostCase) {
        #expect(verdict(name, host(change.change)) == expected)
    }

    @Test("a small limit of locked memory matters beside a card")
    func lockedMemoryWithCard() {
        var facts = card { $0.name = "NVIDIA L4" }
        facts.host = HostFacts()
        facts.host?.lockedMemoryLimitBytes = 8 << 20
        #expect(verdict("locked memory", facts) == .note)
    }

    @Test("a debug build is warned about")
    func debugBuild() {
        var facts = Facts()
        facts.build = BuildFacts()
        facts.build?.isDebug = true
        #expect(verdict("optimization", facts) == .warn)
    }

    @Test(
        "a model is judged by its files, its file system and the memory that is left",
        arguments: [
            ("files", Verdict.fail, ModelCase { $0.filesProblem = "model-2 is truncated" }),
            (
                "free disk", .warn,
                ModelCase {
                    $0.filesProblem = "model-2 is missing"; $0.freeDiskBytes = 1 << 30
                }
            ),
            ("free disk", .ok, ModelCase { $0.freeDiskBytes = 1 << 30 }),
            ("configuration", .fail, ModelCase { $0.configurationProblem = "no config.json" }),
            ("configuration", .warn, ModelCase { $0.unknownFields = ["rope_scaling"] }),
            ("configuration", .ok, ModelCase { $0.unknownFields = [] }),
            ("tensors", .fail, ModelCase { $0.tensorsProblem = "one is missing" }),
            ("tokenizer", .fail, ModelCase { $0.tokenizerProblem = "no tokenizer.model" }),
            ("file system", .warn, ModelCase { $0.fileSystem = "nfs4" }),
            ("file system", .ok, ModelCase { $0.fileSystem = "ext4" }),
            (
                "plan for the cards", .warn,
                ModelCase { $0.cardPlan = CardPlanFacts(fits: false, summary: "lacks 3 GiB") }
            ),
        ])
    func model(_ name: String, _ expected: Verdict, _ change: ModelCase) {
        var facts = Facts()
        facts.model = ModelFacts()
        change.change(&facts.model!)
        #expect(verdict(name, facts) == expected)
    }

    @Test(
        "memory holds a model and its work, only its work, or not even that",
        arguments: [
            (100, Verdict.ok), (20, .warn), (5, .fail),
        ])
    func memory(_ gibibytes: Int, _ expected: Verdict) throws {
        var facts = host {
            $0.availableBytes = 200 << 30; $0.groupLimitBytes = (gibibytes + 1) << 30
        }
        facts.host?.groupUsedBytes = 1 << 30
        facts.model = ModelFacts()
        facts.model?.weightBytes = 26 << 30
        facts.model?.workBytes = 6 << 30
        let rows = DoctorReport(facts).findings.filter { $0.group == .model && $0.check == "memory" }
        #expect(rows.map(\.verdict) == [expected])
    }

    @Test(
        "weights that do not fit are told which precision would",
        arguments: [(20, "--dtype int8"), (13, "--dtype int4"), (5, "more memory")] as [(Int, String)])
    func smallerWeights(_ gibibytes: Int, _ remedy: String) {
        var facts = host { $0.availableBytes = gibibytes << 30 }
        facts.model = ModelFacts()
        facts.model?.weightBytes = 26 << 30
        facts.model?.workBytes = 1 << 30
        facts.model?.bytesByDtype = ["BF16": 26 << 30]
        let row = DoctorReport(facts).findings.first { $0.group == .model && $0.check == "memory" }
        #expect(row?.verdict == .warn && row?.remedy?.contains(remedy) == true, "\(String(describing: row))")
        facts.model?.bytesByDtype = ["I8": 26 << 30]
        let quantized = DoctorReport(facts).findings.first { $0.group == .model && $0.check == "memory" }
        #expect(quantized?.remedy?.contains("--dtype") == false)
    }

    @Test("a driver without a card is not the same as neither, and Windows has its own way")
    func noCard() {
        var facts = Facts()
        facts.driver = DriverFacts()
        #expect(verdict("driver", facts) == .note && verdict("libcuda", facts) == nil)
        facts.driver?.library = LibraryFacts(name: "libcuda.so.1", isLoadable: false, reason: "not there")
        #expect(verdict("libcuda", facts) == nil)
        facts.driver?.isWindowsSubsystem = true
        #expect(verdict("driver", facts) == .note && verdict("libcuda", facts) == .fail)
        facts.driver?.isWindowsSubsystem = false
        facts.driver?.moduleVersion = "550.54.14"
        #expect(verdict("driver", facts) == .warn)
    }

    @Test("wrong results of a device fail, with the operation's name; NaN is wrong, too")
    func wrongResults() {
        var facts = Facts()
        facts.selfTest = SelfTestFacts()
        func operation(_ name: String, _ error: Double?, _ problem: String? = nil) -> SelfTestFacts.Operation {
            SelfTestFacts.Operation(name: name, device: "cpu", error: error, tolerance: 1e-5, problem: problem)
        }
        facts.selfTest?.operations = [operation("a", 1e-6), operation("b", 5e-6)]
        #expect(DoctorReport(facts).findings.map(\.verdict) == [.ok])
        facts.selfTest?.operations = [operation("a", 1e-6), operation("b", 2e-5), operation("c", nil, "NaN")]
        let rows = DoctorReport(facts).findings
        #expect(rows.map(\.verdict) == [.fail, .fail] && rows.map { $0.found.prefix(2) } == ["b:", "c:"])
    }

    @Test("a picture must be described, not just answered about")
    func picture() {
        var facts = Facts()
        facts.selfTest = SelfTestFacts()
        for (answer, expected) in [("A red circle.", Verdict.ok), ("a blue square", .fail), (nil, .fail)] {
            facts.selfTest?.pictures = [
                SelfTestFacts.Picture(device: "cpu", question: "?", expected: "red circle", answer: answer)
            ]
            #expect(verdict("picture", facts) == expected)
        }
    }

    @Test("device files that are missing, closed or too few are told apart")
    func deviceFiles() {
        var facts = Facts()
        facts.driver = DriverFacts()
        facts.driver?.moduleVersion = "550.54.14"
        let all = ["nvidia0", "nvidiactl", "nvidia-uvm"]
        func set(_ names: [String], closed: Set<String> = []) {
            facts.driver?.deviceFiles = names.map { DeviceFile(name: $0, isAccessible: !closed.contains($0)) }
        }
        set(all)
        #expect(verdict("device files", facts) == .ok)
        set(["nvidia0", "nvidiactl"])
        #expect(verdict("device files", facts) == .fail)
        set(all, closed: ["nvidia0"])
        #expect(verdict("device files", facts) == .fail)
        set(all)
        facts.driver?.pciCards = ["0000:01:00.0", "0000:02:00.0"].map { PCICard(address: $0) }
        #expect(verdict("device files", facts) == .note)
        facts.driver?.moduleVersion = nil
        #expect(verdict("device files", facts) == nil)
    }

    @Test(
        "kernels run on later minor versions of their major version only",
        arguments: [
            (90, [80, 90], Verdict.ok), (89, [80], .ok), (86, [89], .fail), (120, [80, 90], .fail),
        ])
    func kernels(_ capability: Int, _ built: [Int], _ expected: Verdict) {
        var facts = card { $0.capability = capability }
        facts.gpu?.kernelCapabilities = built
        #expect(verdict("kernels", facts) == expected)
    }

    @Test(
        "cards' states",
        arguments: [
            (
                "free memory", Verdict.ok,
                CardCase {
                    $0.totalBytes = 24 << 30; $0.freeBytes = 23 << 30
                }
            ),
            (
                "free memory", .warn,
                CardCase {
                    $0.totalBytes = 24 << 30; $0.freeBytes = 20 << 30
                }
            ),
            ("compute mode", .fail, CardCase { $0.computeMode = .prohibited }),
            (
                "compute mode", .note,
                CardCase {
                    $0.computeMode = .exclusive; $0.processes = []
                }
            ),
            ("persistence", .note, CardCase { $0.isPersistent = false }),
            (
                "persistence", .ok,
                CardCase {
                    $0.isPersistent = false; $0.hasDisplay = true
                }
            ),
            ("virtual", .note, CardCase { $0.isVirtual = true }),
            ("attention", .warn, CardCase { $0.fusedHeadSizes = [128] }),
            ("attention", .ok, CardCase { $0.fusedHeadSizes = [64, 112, 128] }),
            ("int8", .note, CardCase { $0.capability = 60 }),
            (
                "instances", .fail,
                CardCase {
                    $0.isDivided = true; $0.instances = []
                }
            ),
            ("throttling", .ok, CardCase { $0.throttleReasons = ["power cap"] }),
            ("throttling", .warn, CardCase { $0.throttleReasons = ["power brake"] }),
            (
                "temperature", .warn,
                CardCase {
                    $0.temperature = 86; $0.slowdownTemperature = 90
                }
            ),
            (
                "temperature", .ok,
                CardCase {
                    $0.temperature = 84; $0.slowdownTemperature = 90
                }
            ),
            (
                "NVLink", .warn,
                CardCase { $0.nvlinks = [.init(link: 0, isActive: true), .init(link: 1, isActive: false)] }
            ),
            ("NVLink", .note, CardCase { $0.nvlinks = [.init(link: 0, isActive: false)] }),
            ("PCIe generation", .ok, CardCase { $0.link = link(generation: 1, of: 4, underLoad: false) }),
            ("PCIe generation", .warn, CardCase { $0.link = link(generation: 3, of: 4, underLoad: true) }),
        ])
    func cards(_ name: String, _ expected: Verdict, _ change: CardCase) {
        #expect(verdict(name, card(change.change)) == expected)
    }

    @Test(
        "memory errors are judged by the gravest",
        arguments: [
            (nil, 0, 0, false, false, Verdict?.none), (true, 0, 0, false, false, .ok),
            (false, 0, 0, false, false, .note),
            (true, 0, 2, false, false, .warn), (true, 0, 2, true, false, .warn), (true, 1, 2, true, false, .fail),
            (true, 0, 0, false, true, .fail),
        ])
    func memoryErrors(
        _ isEnabled: Bool?, _ uncorrected: Int, _ ever: Int, _ pending: Bool, _ failed: Bool, _ expected: Verdict?
    ) {
        var errors = CardFacts.MemoryErrors()
        errors.isEnabled = isEnabled
        (errors.uncorrected, errors.uncorrectedEver) = (uncorrected, ever)
        (errors.isRemapPending, errors.hasRemapFailed) = (pending, failed)
        #expect(verdict("memory errors", card { $0.memoryErrors = errors }) == expected)
    }

    @Test("a process that is pinned away from its card's memory node is warned")
    func memoryNode() {
        var facts = card { $0.memoryNode = 1 }
        facts.host = HostFacts()
        facts.host?.memoryNodes = [MemoryNode(node: 0, processors: "0-7"), MemoryNode(node: 1, processors: "8-15")]
        facts.host?.allowedProcessors = "0-15"
        #expect(verdict("memory node", facts) == .ok)
        facts.host?.allowedProcessors = "0-7"
        #expect(verdict("memory node", facts) == .warn)
        facts.host?.memoryNodes = [MemoryNode(node: 0, processors: "0-15")]
        #expect(verdict("memory node", facts) == nil)
    }

    @Test(
        "variables that choose cards",
        arguments: [
            ([:], Verdict.ok), (["CUDA_VISIBLE_DEVICES": "1,0"], .ok), (["CUDA_VISIBLE_DEVICES": ""], .warn),
            (["CUDA_VISIBLE_DEVICES": "0,0"], .fail), (["CUDA_VISIBLE_DEVICES": "GPU-0"], .ok),
            (["CUDA_VISIBLE_DEVICES": "GPU-7"], .fail), (["CUDA_VISIBLE_DEVICES": "-1"], .warn),
            (["CUDA_DEVICE_ORDER": "BUS"], .warn), (["NVIDIA_DRIVER_CAPABILITIES": "graphics"], .fail),
            (["NVIDIA_DRIVER_CAPABILITIES": "compute,utility"], .ok), (["NVIDIA_VISIBLE_DEVICES": "void"], .note),
        ])
    func visibility(_ environment: [String: String], _ expected: Verdict) throws {
        var facts = try Machine.named("two-4090").facts
        facts.gpu?.visibleCards = nil
        facts.gpu?.cards?[0].uuid = "GPU-00000000-0000-0000-0000-000000000000"
        facts.environment = EnvironmentFacts(environment)
        let rows = DoctorReport(facts).findings.filter { $0.group == .visibility }
        #expect(rows.map(\.verdict).max() == expected, "\(rows)")
    }

    @Test("names that only the driver's libraries know are not called wrong without them")
    func unknownNames() throws {
        var facts = try Machine.named("two-4090").facts
        facts.gpu = nil
        facts.environment = EnvironmentFacts(["CUDA_VISIBLE_DEVICES": "MIG-a3f1c7de"])
        #expect(verdict("CUDA_VISIBLE_DEVICES", facts) == .note)
        facts.environment = EnvironmentFacts(["CUDA_VISIBLE_DEVICES": "GPU-ffffffff"])
        #expect(verdict("CUDA_VISIBLE_DEVICES", facts) == .fail)
        facts.driver?.pciCards?[1].uuid = nil
        #expect(verdict("CUDA_VISIBLE_DEVICES", facts) == .note && verdict("numbers", facts) == nil)
        // A container sees both on the bus and is given one.
        facts.driver?.pciCards?[1].name = nil
        facts.environment = EnvironmentFacts(["CUDA_VISIBLE_DEVICES": "1"])
        #expect(verdict("CUDA_VISIBLE_DEVICES", facts) == .fail)
    }

    @Test("cards that CUDA does not show as the variables say are named")
    func disagreement() throws {
        var facts = try Machine.named("two-4090").facts
        #expect(verdict("numbers", facts) == .ok)
        let seen = try #require(facts.gpu?.visibleCards)
        facts.gpu?.visibleCards = Array(seen.dropLast())
        #expect(verdict("numbers", facts) == .warn)
    }

    @Test("a card of NVML and the same on the bus are one, whatever the address looks like")
    func joinedByAddress() throws {
        var facts = try Machine.named("narrow-link").facts
        facts.gpu?.cards?[0].link = nil
        facts.gpu?.cards?[0].address = "00000000:01:00.0"
        facts.driver?.pciCards?[0].address = "0000:01:00.0"
        #expect(verdict("PCIe width", facts) == .warn)
        facts.gpu?.cards?[0].address = "00000001:01:00.0"
        #expect(verdict("PCIe width", facts) == nil)
    }

    @Test("every check is documented in both languages", arguments: ["doctor.md", "doctor.zh-CN.md"])
    func documented(_ name: String) throws {
        let docs = FixtureFolder.root.deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/\(name)")
        let text = try String(contentsOf: docs, encoding: .utf8)
        for check in Check.all {
            #expect(text.contains("| `\(check.name)` |"), "\(check.group.rawValue): \(check.name)")
        }
    }
}

/// A change to the facts, as an argument of a test.
struct Change<Value>: Sendable, CustomTestStringConvertible {
    let change: @Sendable (inout Value) -> Void
    var testDescription: String { "\(Value.self)" }

    init(_ change: @escaping @Sendable (inout Value) -> Void) { self.change = change }
}

typealias HostCase = Change<HostFacts>
typealias ModelCase = Change<ModelFacts>
typealias CardCase = Change<CardFacts>

private func link(generation: Int, of most: Int, underLoad: Bool) -> LinkFacts {
    var link = LinkFacts()
    (link.generation, link.maxGeneration, link.isUnderLoad) = (generation, most, underLoad)
    return link
}
