import FacetPlacement
import FacetPlanReport
import Testing

/// Devices of this machine as the planner takes them.
@Suite struct PlanMachineDevicesTests {
    private let cards = [
        VisibleCard(name: "NVIDIA GeForce RTX 4090", uuid: "GPU-11111111", pciID: "0000:01:00.0"),
        VisibleCard(name: "An unknown card", uuid: "GPU-22222222", pciID: "0000:02:00.0"),
    ]

    private func machine(_ list: String, hostByteCount: Int = 8 << 30) throws -> PlanMachine {
        let resolved = try ResolvedDevices(try DeviceSpec(parsing: list), cards: cards)
        let open = resolved.cards.map { card in
            PlanMachine.OpenCard(
                name: cards[card].name, totalByteCount: 24 << 30, freeByteCount: 23 << 30,
                reserveByteCount: 13 << 20)
        }
        return PlanMachine(resolved, cards: open, hostByteCount: hostByteCount)
    }

    @Test("of a card without a size what is free may be used, less the margin")
    func whole() throws {
        let machine = try machine("cuda")
        #expect(machine.names == ["cuda:0", "cuda:1"])
        let first = machine.machine.devices[0]
        #expect(first.kind == .gpu && first.totalBytes == 24 << 30 && first.otherBytes == 1 << 30)
        #expect(first.contextBytes == 13 << 20 && first.margin == (24 << 30) / 50)
        #expect(first.rates.bandwidth == 1008e9 && machine.machine.devices[1].rates.bandwidth == 500e9)
    }

    @Test("a size may be used to the byte, and parts of a card are announced")
    func sizes() throws {
        let machine = try machine("cuda:1=2GiB,cuda:1=3GiB")
        #expect(machine.machine.devices.map(\.totalBytes) == [2 << 30, 3 << 30])
        #expect(machine.machine.devices.allSatisfy { $0.margin == 0 && $0.otherBytes == 0 })
        #expect(machine.notes.contains { $0.contains("divided") })
    }

    @Test("processors stand where the list has them and share the host's memory")
    func mixed() throws {
        let machine = try machine("cpu:2,cuda:0")
        #expect(machine.names == ["cpu:0", "cpu:1", "cuda:0"])
        #expect(machine.machine.devices.map(\.kind) == [.cpu, .cpu, .gpu])
        #expect(machine.machine.devices[0].totalBytes == 4 << 30)
        #expect(try self.machine("cpu").machine.devices.map(\.totalBytes) == [8 << 30])
    }
}
