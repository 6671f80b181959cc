import FacetCUDA
import Testing

@Suite("The machines that are shipped")
struct MachineTests {
    private static let files = (try? SimulatedMachine.files()) ?? []

    @Test("there are machines of every kind")
    func kinds() {
        for name in ["2x4090-no-peer", "2x-nvlink", "4x2080ti", "8xH200", "mig-1g.18gb", "mixed-24-12-8", "test-1"] {
            #expect(Self.files.contains(name))
        }
    }

    @Test(
        "each opens, says everywhere that it is simulated, and gives every card memory and all its kernels",
        arguments: files)
    func opens(file: String) throws {
        try SimulatedMachine.run(SimulatedMachine(file: file)) { machine in
            let driver = try machine.driver()
            let devices = try driver.devices()
            #expect(devices.count == driver.deviceCount && Set(devices.map(\.uuid)).count == devices.count)
            #expect(devices.allSatisfy { $0.name.hasSuffix("(simulated)") })
            let store = machine.kernelStore(cacheFolder: machine.place("kernels"))
            for (index, device) in devices.enumerated() {
                let context = try CUDAContext(driver, index: index)
                let memory = try context.memory()
                #expect(memory.total == device.memoryByteCount && memory.free <= memory.total)
                // A budget as large as the free memory is not touched, and so costs this test nothing.
                let arena = try DeviceArena(context, byteCount: memory.free)
                let wanted = Kernels.entries(for: device.capability)
                let table = try KernelTable(wanted, from: store, on: context)
                #expect(table.names.count == wanted.count)
                withExtendedLifetime(arena) {}
            }
            #expect(store.cacheFailure == nil)
        }
    }

    @Test("NVML and CUDA tell the same of each card, joined by UUID", arguments: files)
    func joined(file: String) throws {
        try SimulatedMachine.run(SimulatedMachine(file: file)) { machine in
            let library = try NVML(machine.search)
            #expect(library.driverVersion.hasSuffix("(simulated)"))
            let cards = try library.cards()
            let driver = try machine.driver()
            #expect(library.cudaVersion == driver.version)
            for device in try driver.devices() {
                let whole = cards.first { $0.cardUUID == device.uuid }
                let divided = cards.first { $0.instances.contains { CardUUID($0.uuid) == device.uuid } }
                let card = try #require(whole ?? divided)
                #expect(card.capability == device.capability && card.name.hasSuffix("(simulated)"))
                #expect(card.pciID?.dropFirst(4).lowercased() == device.pciID.lowercased())
                let memory = whole?.memoryByteCount ?? divided?.instances.first?.memoryByteCount
                #expect(memory == device.memoryByteCount)
                for other in cards where other.index != card.index {
                    let (there, back) = (library.connection(card, other), library.connection(other, card))
                    #expect(there == back && there.path != nil && there.read != nil && there.nvLink != nil)
                }
            }
        }
    }

    @Test("memory that a program takes is missing in NVML too, and processes are those of the file")
    func memory() throws {
        try SimulatedMachine.run(SimulatedMachine(file: "2x4090-no-peer")) { machine in
            let library = try NVML(machine.search)
            let before = try library.cards()
            #expect(before.map(\.freeMemoryByteCount) == [(24564 - 310) << 20, (24564 - 310) << 20])
            #expect(before[0].computeProcesses?.map(\.id) == [1402])
            #expect(before[0].computeProcesses?.map(\.memoryByteCount) == [310 << 20])
            #expect(before[0].graphicsProcesses == [])
            let context = try machine.context(1)
            let arena = try DeviceArena(context, byteCount: 1 << 30)
            let after = try library.cards()
            #expect(after[0].freeMemoryByteCount == before[0].freeMemoryByteCount)
            #expect(before[1].freeMemoryByteCount - after[1].freeMemoryByteCount == 1 << 30 + 380 << 20)
            #expect(try context.memory().free == after[1].freeMemoryByteCount)
            withExtendedLifetime(arena) {}
        }
    }

    @Test("the topology of each machine: what lies between cards, and what NVLink joins")
    func topology() throws {
        func connection(_ file: String, _ first: Int, _ second: Int) throws -> NVMLConnection {
            try SimulatedMachine.run(SimulatedMachine(file: file)) { machine in
                let library = try NVML(machine.search)
                let cards = try library.cards()
                return library.connection(cards[first], cards[second])
            }
        }
        let plain = try connection("2x4090-no-peer", 0, 1)
        #expect(plain.path == .hostBridge && plain.read == .notSupported && plain.nvLink == .notSupported)
        let bridged = try connection("2x-nvlink", 1, 0)
        #expect(bridged.path == .memoryNode && bridged.read == .possible && bridged.nvLink == .possible)
        #expect(bridged.write == .possible && bridged.atomics == .possible)
        let (pair, apart) = (try connection("4x2080ti", 2, 3), try connection("4x2080ti", 1, 2))
        #expect(pair.path == .hostBridge && pair.nvLink == .possible)
        #expect(apart.path == .system && apart.read == .topologyForbids && apart.nvLink == .notSupported)
        #expect(try connection("8xH200", 0, 7).nvLink == .possible)
    }

    @Test("links of NVLink: two to a neighbor, eighteen to the switch, none elsewhere")
    func nvLinks() throws {
        func links(_ file: String) throws -> [NVMLCard] {
            try SimulatedMachine.run(SimulatedMachine(file: file)) { try NVML($0.search).cards() }
        }
        #expect(try links("2x4090-no-peer").allSatisfy(\.nvLinks.isEmpty))
        let turing = try links("4x2080ti")
        #expect(turing.allSatisfy { $0.nvLinks.count == 2 && $0.nvLinks.allSatisfy { $0.isActive && $0.version == 2 } })
        #expect(turing[2].nvLinks.map(\.remotePCIID) == [turing[3].pciID, turing[3].pciID])
        #expect(try links("8xH200").allSatisfy { $0.nvLinks.count == 18 })
    }

    @Test("a divided card lists its instance, which is what CUDA shows")
    func divided() throws {
        try SimulatedMachine.run(SimulatedMachine(file: "mig-1g.18gb")) { machine in
            let card = try #require(try NVML(machine.search).cards().first)
            #expect(card.isDivided == true && card.instances.count == 1)
            let instance = try #require(card.instances.first)
            #expect(instance.uuid == "MIG-11111111-2222-4333-8444-555555555555")
            #expect(instance.gpuInstance == 7 && instance.computeInstance == 0)
            #expect(instance.memoryByteCount == 16384 << 20)
            let device = try #require(try machine.driver().devices().first)
            #expect(device.uuid == CardUUID(instance.uuid) && device.multiprocessorCount == 16)
            #expect(device.memoryByteCount == instance.memoryByteCount && device.name.contains("MIG 1g.18gb"))
        }
    }

    @Test("a card that is hot, capped, worn and shared says so")
    func health() throws {
        let description = """
            {
              "name": "a card with every trouble",
              "devices": [
                {
                  "name": "Test card", "compute_capability": "9.0", "multiprocessors": 4, "memory_mib": 1024,
                  "compute_mode": "exclusive_process", "persistence": false, "display": true, "numa_node": 1,
                  "ecc": true, "ecc_corrected": 12, "ecc_uncorrected": 3, "remapped_rows": 2, "retired_pending": 1,
                  "throttle_reasons": 68, "temperature": 91, "power_watts": 349, "power_limit_watts": 350,
                  "pcie_generation": 1, "pcie_width": 4, "pcie_max_generation": 5, "pcie_max_width": 16,
                  "processes": [{ "pid": 11, "memory_mib": 100 }, { "pid": 12, "memory_mib": 200 }]
                }
              ]
            }
            """
        try SimulatedMachine.run(SimulatedMachine(description)) { machine in
            let card = try #require(try NVML(machine.search).cards().first)
            #expect(card.throttleReasons == [.powerCap, .hardwareThermal])
            #expect(card.computeMode == .exclusiveProcess && card.isPersistent == false && card.numaNode == 1)
            #expect(card.isDisplayActive == true && card.hasDisplay == true)
            #expect(card.isMemoryChecked == true && card.correctedErrorCount == 12 && card.uncorrectedErrorCount == 3)
            #expect(card.isRemapPending == true && card.hasRemapFailed == false && card.isRetirementPending == true)
            #expect(card.temperature == 91 && card.power == 349_000 && card.powerLimit == 350_000)
            #expect(card.linkGeneration == 1 && card.linkWidth == 4)
            #expect(card.maximumLinkGeneration == 5 && card.maximumLinkWidth == 16)
            #expect(card.computeProcesses?.map(\.id) == [11, 12] && card.freeMemoryByteCount == 724 << 20)
        }
    }

    @Test("a machine without cards, and one whose driver does not answer, are errors that say what to do")
    func none() throws {
        let machine = try SimulatedMachine(#"{ "name": "bare", "devices": [] }"#)
        #expect(throws: CUDAError.noDevice(visibleDevices: nil)) { try machine.driver() }
        #expect(throws: CUDAError.self) { try NVML(machine.search) }
        try machine.load(SimulatedMachine.description())
        try machine.fail("cuInit", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")
        let error = #expect(throws: CUDAError.self) { try machine.driver() }
        #expect(try #require(error).description.contains("cuInit failed: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"))
        _ = try machine.driver()
    }

    @Test("cards that nobody, or one process alone, may use")
    func modes() throws {
        func context(_ mode: String) throws -> CUDAContext {
            let card = #""name": "Test card", "compute_capability": "8.9", "multiprocessors": 4, "memory_mib": 64"#
            let machine = try SimulatedMachine(
                #"{ "name": "\#(mode)", "devices": [{ \#(card), "compute_mode": "\#(mode)" }] }"#)
            return try machine.context()
        }
        #expect(throws: CUDAError.self) { try context("prohibited") }
        _ = try context("exclusive_process")
    }
}
