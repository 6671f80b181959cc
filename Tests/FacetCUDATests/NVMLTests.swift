import FacetCUDA
import Testing

@Suite("What the machine knows about its cards")
struct NVMLTests {
    @Test("cards are found by UUID, whatever their numbers")
    func joined() throws {
        let machine = try FakeMachine()
        let library = try NVML(machine.search)
        #expect(library.driverVersion == "550.54.14" && library.cudaVersion == CUDAVersion(12, 4))
        let cards = try library.cards()
        #expect(cards.map(\.name) == ["Stand-in 1", "Stand-in 0"])
        for device in try machine.driver().devices() {
            let card = try #require(cards.first { $0.cardUUID == device.uuid })
            #expect(card.name == device.name && card.uuid == device.uuid.description)
        }
    }

    @Test("a card that can say everything")
    func whole() throws {
        let machine = try FakeMachine()
        let card = try NVML(machine.search).cards()[1]
        #expect(card.pciID == "00000000:41:00.0" && card.capability == ComputeCapability(8, 9))
        #expect(card.memoryByteCount == 1000 && card.freeMemoryByteCount == 880 && card.reservedMemoryByteCount == 20)
        #expect(card.windowByteCount == 256 << 20)
        let processes = try #require(card.computeProcesses)
        #expect(processes.count == 20)
        #expect(processes[0].id == 100 && processes[0].memoryByteCount == nil)
        #expect(processes[1].id == 101 && processes[1].memoryByteCount == 5)
        #expect(card.graphicsProcesses == [])
        #expect(card.computeMode == .exclusiveProcess && card.isPersistent == true && card.isDisplayActive == false)
        #expect(card.minorNumber == 3 && card.numaNode == 1 && card.isDivided == false && card.instances.isEmpty)
        #expect(card.isMemoryChecked == true && card.correctedErrorCount == 7 && card.uncorrectedErrorCount == 2)
        #expect(card.isRemapPending == true && card.hasRemapFailed == false && card.isRetirementPending == false)
        #expect(card.throttleReasons == [.powerCap, .hardwareThermal])
        #expect(card.throttleReasons?.allSatisfy(\.isThrottling) == true)
        #expect(card.temperature == 61 && card.power == 123_456)
        #expect(card.powerLimit == 350_000 && card.defaultPowerLimit == 450_000)
        #expect(card.linkGeneration == 1 && card.linkWidth == 4)
        #expect(card.maximumLinkGeneration == 4 && card.maximumLinkWidth == 16)
        #expect(card.nvLinks.map(\.index) == [0, 1] && card.nvLinks.map(\.isActive) == [true, false])
        #expect(card.nvLinks.allSatisfy { $0.version == 3 && $0.remotePCIID == "00000000:41:00.0" })
    }

    @Test("a card that can say little leaves gaps")
    func gaps() throws {
        let machine = try FakeMachine()
        let card = try NVML(machine.search).cards()[0]
        #expect(card.memoryByteCount == 1000 && card.freeMemoryByteCount == 800 && card.reservedMemoryByteCount == nil)
        #expect(card.computeMode == nil && card.isDivided == nil && card.isMemoryChecked == nil)
        #expect(card.throttleReasons == nil && card.temperature == nil && card.linkWidth == nil && card.nvLinks.isEmpty)
    }

    @Test("how two cards are connected")
    func connection() throws {
        let machine = try FakeMachine()
        let library = try NVML(machine.search)
        let cards = try library.cards()
        let connection = library.connection(cards[0], cards[1])
        #expect(connection.path == .hostBridge && connection.read == .chipsetForbids && connection.write == .possible)
        #expect(connection.nvLink == .possible && connection.atomics == .possible)
    }

    @Test("a driver that was updated and not loaded again is an error with the library's words")
    func mismatch() throws {
        let machine = try FakeMachine()
        try machine.fail("nvmlInit_v2", 18)
        #expect(
            throws: CUDAError.libraryCallFailed(
                library: .nvml, call: "nvmlInit", result: "RM has detected an NVML/RM version mismatch. (18)")
        ) { try NVML(machine.search) }
        #expect(try machine.aliveCount() == 0)
    }
}
