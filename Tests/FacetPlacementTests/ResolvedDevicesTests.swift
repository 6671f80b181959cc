import FacetPlacement
import Testing

@Suite("Lists of devices on a machine")
struct ResolvedDevicesTests {
    private static let cards = [
        VisibleCard(name: "RTX 4090", uuid: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", pciID: "0000:01:00.0"),
        VisibleCard(name: "RTX 3060", uuid: "GPU-89000000-0000-0000-0000-000000000001", pciID: "0000:65:00.0"),
        VisibleCard(name: "T4", uuid: "GPU-00000000-0000-0000-0000-0000000000ff", pciID: "0000:C1:00.0"),
    ]

    private func resolve(_ text: String, _ cards: [VisibleCard] = cards) throws -> ResolvedDevices {
        try ResolvedDevices(try DeviceSpec(parsing: text), cards: cards)
    }

    @Test(
        "every form of entry finds its card, in the order of the list",
        arguments: [
            ("cuda", [0, 1, 2]), ("cuda:2,0", [2, 0]), ("GPU-8932", [0]), ("gpu-00", [2]), ("0000:65:00.0", [1]),
            ("c1:00.0,cuda:0", [2, 0]), ("MIG-89000000-0000", [1]), ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", [0]),
        ])
    func found(_ text: String, _ expected: [Int]) throws {
        let resolved = try resolve(text)
        #expect(resolved.cards == expected && !resolved.isMixed && !resolved.dividesCards)
        #expect(resolved.devices.map(\.name) == expected.map { "cuda:\($0)" })
    }

    @Test("processors stand where the list has them, and sizes go to every card that an entry means")
    func mixed() throws {
        let resolved = try resolve("cpu:2,cuda=8GiB")
        #expect(resolved.isMixed && resolved.cards == [0, 1, 2])
        #expect(resolved.devices.map(\.name) == ["cpu:0", "cpu:1", "cuda:0", "cuda:1", "cuda:2"])
        #expect(resolved.devices.map(\.byteCount) == [nil, nil, 8 << 30, 8 << 30, 8 << 30])
        #expect(try resolve("cpu", []).cards.isEmpty)
        #expect(resolved.keeping([0, 3]).devices.map(\.name) == ["cpu:0", "cuda:1"])
    }

    @Test("a card that is several devices numbers them by place")
    func divided() throws {
        let resolved = try resolve("cuda:1=2GiB,cuda:1=3GiB,65:00.0=1GiB")
        #expect(resolved.dividesCards && resolved.cards == [1, 1, 1])
        #expect(resolved.devices.map(\.name) == ["cuda:0", "cuda:1", "cuda:2"])
    }

    @Test(
        "what cannot be found says what there is",
        arguments: [
            ("cuda:3", "'cuda:3' is unknown"), ("cuda:3", "cuda:1 (RTX 3060, GPU-89000000, 0000:65:00.0)"),
            ("GPU-7", "'gpu-7' is unknown"), ("GPU-89", "could be GPU-8932f937"), ("GPU-", "is unknown"),
            ("02:00.0", "is unknown"), ("cuda:0,GPU-8932", "again"), ("cuda:0=1GiB,GPU-8932", "again"),
        ])
    func mistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try resolve(text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasPrefix("--devices: ") == true)
    }

    @Test("without cards, cuda says so")
    func none() {
        let error = #expect(throws: PlacementInputError.self) { try resolve("cuda", []) }
        #expect(error?.description == "--devices: 'cuda' is unknown; expected cpu: no card is visible.")
    }

    @Test("sizes beyond what is free are refused with both numbers, parts of a card together")
    func free() throws {
        let free = [0: 10 << 30, 1: 4 << 30]
        #expect(throws: Never.self) { try resolve("cuda:0=10GiB,cuda:1").check(free: free) }
        #expect(throws: Never.self) { try resolve("cuda:1=2GiB,cuda:1=2GiB").check(free: free) }
        let error = #expect(throws: PlacementInputError.self) {
            try resolve("cuda:1=2GiB,cuda:1=3GiB").check(free: free)
        }
        let text = error?.description ?? ""
        #expect(text.contains("'cuda:1=2GiB,cuda:1=3GiB'") && text.contains("4.00 GiB") && text.contains("5.00 GiB"))
    }

    @Test(
        "drivers' names mean cards of the table",
        arguments: [
            ("NVIDIA GeForce RTX 4090", 24, "RTX 4090"), ("NVIDIA A100-SXM4-40GB", 40, "A100 40GB"),
            ("NVIDIA A100-SXM4-80GB", 80, "A100"), ("NVIDIA H100 80GB HBM3", 80, "H100"), ("Tesla T4", 15, "T4"),
            ("Tesla V100-SXM2-16GB", 16, "V100 16GB"), ("NVIDIA GeForce RTX 4060 Ti", 8, "RTX 4060 Ti"),
            ("NVIDIA GeForce RTX 4090 (simulated)", 24, "RTX 4090"), ("NVIDIA L40S", 48, "L40S"),
        ])
    func names(_ driverName: String, _ gibibytes: Int, _ expected: String) {
        #expect(KnownCard.like(driverName: driverName, memoryByteCount: gibibytes << 30)?.name == expected)
        #expect(KnownCard.like(driverName: "Quadro P400", memoryByteCount: 2 << 30) == nil)
    }
}
