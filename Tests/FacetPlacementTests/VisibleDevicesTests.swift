import FacetPlacement
import Testing

@Suite("CUDA_VISIBLE_DEVICES")
struct VisibleDevicesTests {
    private static let cards = [
        PhysicalCard(uuid: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", pciID: "0000:17:00.0", speed: 71),
        PhysicalCard(uuid: "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6", pciID: "0000:65:00.0", speed: 165),
        PhysicalCard(uuid: "GPU-0f00f937-d72c-4106-c12f-20bd9faed9f6", pciID: "0000:b3:00.0", speed: 71),
    ]

    /// What a value makes visible, by card, counting by place on the bus.
    struct Case: CustomTestStringConvertible, Sendable {
        let value: String?
        let visible: [Int]
        var note: String? = nil
        var isMistake = false
        var testDescription: String { value.map { "'\($0)'" } ?? "unset" }
    }

    static let table: [Case] = [
        Case(value: nil, visible: [0, 1, 2]),
        Case(value: "", visible: [], note: "set to nothing"),
        Case(value: "  ", visible: [], note: "set to nothing"),
        Case(value: "0", visible: [0]),
        Case(value: "2,1", visible: [2, 1]),
        Case(value: " 2 , 0", visible: [2, 0]),
        Case(value: "+1", visible: [1]),
        Case(value: "01,2", visible: [1, 2]),
        Case(value: "1gpu2,2ampere", visible: [1, 2]),
        Case(value: "-1", visible: [], note: "entry 1 '-1' ends the list, so no card is visible"),
        Case(value: "0,2,-1,1", visible: [0, 2], note: "entry 3 '-1' ends the list, so 4 is hidden", isMistake: true),
        Case(value: "0,1,-1", visible: [0, 1], note: "ends the list"),
        Case(
            value: "0,1,x,2,0", visible: [0, 1],
            note: "entry 3 'x' is invalid (no index and no UUID), so 4 and 5 are hidden",
            isMistake: true),
        Case(value: "3", visible: [], note: "the cards are 0 to 2), so no card is visible", isMistake: true),
        Case(value: "0,3", visible: [0], note: "entry 2 '3' is invalid", isMistake: true),
        Case(value: "0,,1", visible: [0], note: "(it is empty), so 3 is hidden", isMistake: true),
        Case(value: "0,1,", visible: [0, 1], note: "(it is empty)", isMistake: true),
        Case(value: "99999999999999999999", visible: [], note: "invalid", isMistake: true),
        Case(value: "0,1,0", visible: [], note: "card of entry 1 again, so CUDA hides every card", isMistake: true),
        Case(value: "GPU-0f", visible: [2]),
        Case(value: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,GPU-0f00", visible: [0, 2]),
        Case(value: "GPU-8932F937", visible: [0]),
        Case(value: "GPU-8932", visible: [], note: "2 cards' UUIDs begin so", isMistake: true),
        Case(value: "GPU-", visible: [], note: "no card has this UUID", isMistake: true),
        Case(value: "GPU-0f,1", visible: [2], note: "no UUID in a list that begins with one", isMistake: true),
        Case(value: "0,GPU-0f", visible: [0], note: "a UUID in a list that begins with an index", isMistake: true),
        Case(value: "GPU-0f,GPU-0f00", visible: [], note: "hides every card", isMistake: true),
        Case(value: "MIG-0f", visible: [], note: "no card has this MIG instance", isMistake: true),
        Case(value: "0000:65:00.0", visible: [0], note: nil),
        Case(value: "all", visible: [], note: "no index and no UUID", isMistake: true),
    ]

    @Test("values mean what they mean to CUDA, and what was hidden is said", arguments: table)
    func meaning(_ row: Case) {
        let visible = VisibleDevices(parsing: row.value, cards: Self.cards, order: .pciBusID)
        #expect(visible.devices.map(\.card) == row.visible)
        #expect(visible.devices.allSatisfy { $0.instance == nil })
        if let note = row.note {
            let text = visible.notes.map(\.description).joined(separator: "\n")
            #expect(text.contains(note), "\(text)")
        } else {
            #expect(visible.notes.isEmpty)
        }
        if row.isMistake {
            let error = #expect(throws: VisibleDevicesError.self) { try visible.check() }
            #expect(error?.description.hasSuffix("unset the list.") == true)
        } else {
            #expect(throws: Never.self) { try visible.check() }
        }
    }

    @Test("the fastest card comes first unless the bus decides")
    func order() throws {
        let fastest = VisibleDevices(parsing: nil, cards: Self.cards, order: try DeviceOrder(parsing: nil))
        #expect(fastest.devices.map(\.card) == [1, 0, 2])
        let byIndex = VisibleDevices(parsing: "0,2", cards: Self.cards, order: .fastestFirst)
        #expect(byIndex.devices.map(\.card) == [1, 2])
        var unknown = Self.cards
        unknown[2].speed = nil
        #expect(DeviceOrder.fastestFirst.sorted(unknown) == [0, 1, 2])
        #expect(DeviceOrder.pciBusID.sorted(Self.cards.reversed()) == [2, 1, 0])
        #expect(try DeviceOrder(parsing: "PCI_BUS_ID") == .pciBusID)
        let error = #expect(throws: PlacementInputError.self) { try DeviceOrder(parsing: "PCI_BUS") }
        #expect(error?.description.contains("nearest is 'PCI_BUS_ID'") == true)
    }

    @Test("PCI ids are ours alone")
    func pci() {
        let ours = VisibleDevices(
            parsing: "0000:65:00.0,00000000:B3:00.0,17:00.0", cards: Self.cards, acceptsPCI: true,
            input: "--visible-devices")
        #expect(ours.devices.map(\.card) == [1, 2, 0] && ours.notes.isEmpty)
        let unknown = VisibleDevices(parsing: "0000:66:00.0", cards: Self.cards, acceptsPCI: true)
        #expect(unknown.devices.isEmpty && unknown.notes.first?.isMistake == true)
    }

    @Test("the mapping names number, place on the bus and UUID")
    func mapping() {
        let visible = VisibleDevices(parsing: "2", cards: Self.cards, order: .pciBusID)
        #expect(
            visible.mapping(Self.cards)
                == "cuda:0 = card 2 (0000:b3:00.0, GPU-0f00f937-d72c-4106-c12f-20bd9faed9f6)")
        let nothing = VisibleDevices(parsing: "", cards: Self.cards)
        #expect(nothing.mapping(Self.cards) == "no card is visible")
    }

    private static let divided = [
        PhysicalCard(uuid: "GPU-aa", pciID: "0000:01:00.0"),
        PhysicalCard(
            uuid: "GPU-bb", pciID: "0000:02:00.0",
            instances: [
                PhysicalCard.Instance(uuid: "MIG-1111-a", gpuInstance: 1, computeInstance: 0),
                PhysicalCard.Instance(uuid: "MIG-1111-b", gpuInstance: 2, computeInstance: 0),
            ]),
    ]

    @Test(
        "MIG instances are named in both forms, and one is all that CUDA uses",
        arguments: [
            ("MIG-1111-b", [1], 0), ("MIG-GPU-bb/2/0", [1], 0), ("MIG-1111", [], 1), ("MIG-GPU-bb/3/0", [], 1),
            ("MIG-1111-b,MIG-1111-a", [1], 1), ("MIG-GPU-bb/2", [], 1), ("1", [0], 0), ("GPU-bb", [0], 0),
            ("MIG-1111-b,MIG-1111-b", [], 1),
        ])
    func instances(_ value: String, _ instances: [Int], _ mistakeCount: Int) {
        let visible = VisibleDevices(parsing: value, cards: Self.divided, order: .pciBusID)
        #expect(visible.devices.map(\.instance) == instances)
        #expect(visible.notes.filter(\.isMistake).count == mistakeCount)
    }

    @Test("without cards every entry is a mistake, and nothing crashes")
    func noCards() {
        #expect(VisibleDevices(parsing: nil, cards: []).devices.isEmpty)
        #expect(VisibleDevices(parsing: "0", cards: []).notes.first?.isMistake == true)
    }
}
