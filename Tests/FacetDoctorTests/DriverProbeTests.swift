import FacetDoctor
import Testing

@Suite("Driver probe")
struct DriverProbeTests {
    private static let banner = """
        NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (builder@host)
        GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)

        """

    private func plantCard(_ system: PlantedSystem, _ address: String, driver: String?) throws {
        let folder = "sys/bus/pci/devices/\(address)"
        try system.plant("\(folder)/vendor", "0x10de\n")
        try system.plant("\(folder)/class", "0x030000\n")
        try system.plant("\(folder)/device", "0x2684\n")
        try system.plant("\(folder)/current_link_width", "4\n")
        try system.plant("\(folder)/max_link_width", "16\n")
        try system.plant("\(folder)/current_link_speed", "2.5 GT/s PCIe\n")
        try system.plant("\(folder)/max_link_speed", "16.0 GT/s PCIe\n")
        try system.plant("\(folder)/numa_node", "-1\n")
        try system.plant(
            "\(folder)/resource",
            """
            0x00000000fb000000 0x00000000fbffffff 0x0000000000040200
            0x000000f800000000 0x000000ffffffffff 0x000000000014220c
            0x0000000000000000 0x0000000000000000 0x0000000000000000

            """)
        if let driver { try system.link("\(folder)/driver", to: "../../../bus/pci/drivers/\(driver)") }
    }

    @Test("reads module, device files, cards and faults")
    func everything() throws {
        let system = try PlantedSystem()
        try system.plant("proc/driver/nvidia/version", Self.banner)
        for name in ["nvidia0", "nvidiactl", "nvidia-uvm", "null"] { try system.plant("dev/\(name)", "") }
        try plantCard(system, "0000:65:00.0", driver: "nvidia")
        try system.plant(
            "proc/driver/nvidia/gpus/0000:65:00.0/information",
            """
            Model: \t\t NVIDIA GeForce RTX 4090
            IRQ:   \t\t 126
            GPU UUID: \t GPU-8932f937-1f0e-4c1b-9a43-5d2e7c8b9000
            Bus Location: \t 0000:65:00.0

            """)
        // The card's own sound device is no card.
        try system.plant("sys/bus/pci/devices/0000:65:00.1/vendor", "0x10de\n")
        try system.plant("sys/bus/pci/devices/0000:65:00.1/class", "0x040300\n")
        try system.plant("sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n")
        try system.plant("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n")
        try system.plant("sys/kernel/iommu_groups/0/type", "DMA\n")
        try system.plant(
            "dev/kmsg",
            """
            6,1,2,-;usb 1-1: new device
            3,812,99,-;NVRM: Xid (PCI:0000:65:00): 79, pid=1234, GPU has fallen off the bus.
            3,813,99,-;NVRM: Xid (PCI:0000:65:00): 79, pid=1234, GPU has fallen off the bus.
            3,814,99,-;NVRM: Xid (PCI:broken

            """)
        let facts = DriverProbe(system.roots).facts()
        #expect(facts.moduleVersion == "570.86.15" && facts.isOpenModule == true)
        #expect(facts.deviceFiles?.map(\.name) == ["nvidia-uvm", "nvidia0", "nvidiactl"])
        #expect(facts.deviceFiles?.allSatisfy(\.isAccessible) == true)
        #expect(facts.hasAddressTranslation == true && facts.isWindowsSubsystem == false)
        #expect(facts.faults == [FaultFacts(address: "0000:65:00", code: 79)])
        #expect(facts.pciCards?.count == 1)
        let card = try #require(facts.pciCards?.first)
        #expect(card.address == "0000:65:00.0" && card.model == "0x2684" && card.driver == "nvidia")
        #expect(card.name == "NVIDIA GeForce RTX 4090" && card.uuid == "GPU-8932f937-1f0e-4c1b-9a43-5d2e7c8b9000")
        #expect(card.windowBytes == 32 << 30 && card.memoryNode == -1)
        #expect(card.link?.width == 4 && card.link?.maxWidth == 16)
        #expect(card.link?.generation == 1 && card.link?.maxGeneration == 4)
    }

    @Test("a card is judged without any library of the driver")
    func verdictsFromTheBus() throws {
        let system = try PlantedSystem()
        try plantCard(system, "0000:65:00.0", driver: "nouveau")
        var facts = Facts()
        facts.driver = DriverProbe(system.roots).facts()
        let rows = DoctorReport(facts).findings
        #expect(rows.contains { $0.check == "driver" && $0.verdict == .fail })
        #expect(rows.contains { $0.check == "kernel module" && $0.verdict == .fail && $0.found.contains("nouveau") })
        #expect(rows.contains { $0.check == "PCIe width" && $0.verdict == .warn && $0.found == "x4 of x16, at rest" })
        #expect(rows.contains { $0.check == "PCIe generation" && $0.verdict == .ok })
    }

    @Test("falls back to the module's own file, and to nothing")
    func fallbacks() throws {
        let system = try PlantedSystem()
        #expect(DriverProbe(system.roots).facts().moduleVersion == nil)
        try system.plant("sys/module/nvidia/version", "550.54.14\n")
        #expect(DriverProbe(system.roots).facts().moduleVersion == "550.54.14")
        try system.plant("proc/driver/nvidia/version", "nothing known\n")
        #expect(DriverProbe(system.roots).facts().moduleVersion == "550.54.14")
    }

    @Test("a UUID that the driver does not know yet is no UUID")
    func unknownUUID() throws {
        let system = try PlantedSystem()
        try plantCard(system, "0000:01:00.0", driver: "nvidia")
        try system.plant(
            "proc/driver/nvidia/gpus/0000:01:00.0/information",
            "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-????????-????-????-????-????????????\n")
        let card = try #require(DriverProbe(system.roots).facts().pciCards?.first)
        #expect(card.name == "NVIDIA H200" && card.uuid == nil)
    }

    @Test("a library that is not there is named with the loader's reason, and one that is there opens")
    func library() {
        let missing = LibraryProbe("libfacet-has-no-such-library.so.1").facts()
        #expect(!missing.isLoadable && missing.reason?.contains("libfacet-has-no-such-library") == true)
        let present = LibraryProbe("libc.so.6").facts()
        #expect(present.isLoadable && present.reason == nil)
    }
}
