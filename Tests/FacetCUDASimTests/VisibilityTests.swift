import FacetCUDA
import FacetPlacement
import Testing

/// Planning reads the list of visible cards as the driver does.
@Suite("Visible cards")
struct VisibilityTests {
    private static let uuids = (0..<3).map { "GPU-\($0)0000000-0000-4000-8000-00000000000\($0)" }
    private static let places = ["0000:41:00.0", "0000:01:00.0", "0000:81:00.0"]

    /// Three cards, the fastest first, which is not the order of the bus.
    private static var description: String {
        let cards = zip(uuids, places).map { uuid, place in
            """
            { "name": "Test card", "compute_capability": "8.9", "multiprocessors": 4, "memory_mib": 64,
              "uuid": "\(uuid)", "pci": "\(place)" }
            """
        }
        return #"{ "name": "three", "devices": [ \#(cards.joined(separator: ",\n")) ] }"#
    }

    private static let lists: [String?] = [
        nil, "", "0", "2,0", "1,0,2", "0,0", "1,1", "01,1", "0,1,0", "2,2,9", "0,9,1", "9", "0,-1,1", "-1", "1x,0",
        "+1",
        " 1", "0,,1", "x", uuids[1], "GPU-2,GPU-0", "GPU-2,GPU-20", "GPU-", "GPU-1,0", "0,GPU-1", "GPU-9,GPU-1",
    ]

    @Test("every list shows the cards that the driver shows, in its order", arguments: lists)
    func agreement(_ list: String?) throws {
        let cards = zip(Self.uuids, Self.places).enumerated().map { index, card in
            PhysicalCard(uuid: card.0, pciID: card.1, speed: Double(10 - index))
        }
        for (order, setting) in [(DeviceOrder.fastestFirst, nil), (.pciBusID, "PCI_BUS_ID")] as [(DeviceOrder, String?)]
        {
            let planned = VisibleDevices(parsing: list, cards: cards, order: order).devices.map { Self.uuids[$0.card] }
            try SimulatedMachine.run(SimulatedMachine(Self.description)) { machine in
                try machine.show(list, order: setting, of: Self.description)
                guard let driver = try Self.driver(machine) else {
                    #expect(planned == [])
                    return
                }
                #expect(try driver.devices().map(\.uuid.description) == planned)
            }
        }
    }

    /// The driver, or nil where it shows no card.
    private static func driver(_ machine: SimulatedMachine) throws -> CUDADriver? {
        do { return try machine.driver() } catch CUDAError.noDevice { return nil }
    }
}
