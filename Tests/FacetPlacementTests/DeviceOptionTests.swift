import FacetPlacement
import Testing

@Suite("Options about devices")
struct DeviceOptionTests {
    // MARK: --max-memory

    @Test("caps are read per device, for the host and for every card")
    func caps() throws {
        let caps = try MaxMemory(parsing: "0=20GiB, cuda:1=22GB,cpu=64g")
        #expect(caps == MaxMemory(devices: [0: 20 << 30, 1: 22_000_000_000], host: 64 << 30))
        let common = try MaxMemory(parsing: "10GiB,1=4GiB")
        #expect(common.limit(device: 0) == 10 << 30 && common.limit(device: 1) == 4 << 30)
        #expect(caps.limit(device: 2) == nil)
    }

    @Test(
        "every mistake in caps is named",
        arguments: [
            ("", "expected DEVICE=SIZE"), ("0=", "size such as"), ("=2GiB", "expected DEVICE=SIZE"),
            ("cpu", "expected DEVICE=SIZE"), ("0=20GiB,", "expected DEVICE=SIZE"), ("0=twenty", "'0=twenty'"),
            ("cpi=2GiB", "nearest is 'cpu'"), ("cuda:x=2GiB", "nearest is 'cuda:0'"), ("0=2GiB,cuda:0=3GiB", "again"),
            ("2GiB,3GiB", "again"), ("cpu=1g,CPU=2g", "again"), ("-1=2GiB", "unknown"), ("999=2GiB", "below 256"),
            ("0=1=2GiB", "'0=1=2GiB'"), ("0=5", "5GiB"),
        ])
    func capMistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try MaxMemory(parsing: text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasPrefix("--max-memory: ") == true)
    }

    @Test("a cap on a device that does not exist is refused")
    func capBeyond() throws {
        let caps = try MaxMemory(parsing: "0=1g,3=1g,7=1g")
        #expect(throws: Never.self) { try caps.check(deviceCount: 8) }
        let error = #expect(throws: PlacementInputError.self) { try caps.check(deviceCount: 2) }
        #expect(error?.description == "--max-memory: '3' is unknown; expected a device from 0 to 1.")
    }

    // MARK: --devices

    @Test("devices are read in all their forms")
    func devices() throws {
        typealias Device = DeviceSpec.Device
        let cases: [(String, [Device])] = [
            ("cpu", [Device(.cpu(0))]),
            ("cpu:3", [Device(.cpu(0)), Device(.cpu(1)), Device(.cpu(2))]),
            ("cpu:0=2GiB,cpu:1=1GiB", [Device(.cpu(0), byteCount: 2 << 30), Device(.cpu(1), byteCount: 1 << 30)]),
            ("cpu=2GiB", [Device(.cpu(0), byteCount: 2 << 30)]),
            ("cuda", [Device(.allCards)]),
            ("cuda:0,1", [Device(.card(0)), Device(.card(1))]),
            ("0, 2", [Device(.card(0)), Device(.card(2))]),
            ("cuda:1=20GiB,cpu", [Device(.card(1), byteCount: 20 << 30), Device(.cpu(0))]),
            ("GPU-8932f937,cuda:0", [Device(.named("gpu-8932f937")), Device(.card(0))]),
            ("MIG-GPU-89/1/2", [Device(.named("mig-gpu-89/1/2"))]),
            ("0000:65:00.0,cuda:1", [Device(.named("0000:65:00.0")), Device(.card(1))]),
            ("cuda,cpu", [Device(.allCards), Device(.cpu(0))]),
            ("cuda:0=2GiB,0=3GiB", [Device(.card(0), byteCount: 2 << 30), Device(.card(0), byteCount: 3 << 30)]),
        ]
        for (text, expected) in cases { #expect(try DeviceSpec(parsing: text).devices == expected, "\(text)") }
    }

    @Test(
        "every mistake in devices is named",
        arguments: [
            ("", "not understood"), ("cpu,", "not understood"), ("gpu", "nearest is 'cpu'"), ("cuda:", "'cuda:'"),
            ("cuda:-1", "not understood"), ("cpu:0", "count from 1"), ("cpu:300", "below 256"), ("cpu,cpu", "again"),
            ("cuda:0,0", "again"), ("cuda:0=2GiB,0", "again"), ("cuda:0,0=2GiB", "again"), ("cuda,cuda:1", "again"),
            ("cuda:1,cuda", "again"), ("cpu:4,1", "cuda:1"),
            ("cpu:4=2GiB", "cpu:0=SIZE"), ("cpu:1=1GiB,cpu:0=1GiB", "count from 0"), ("cuda:0=", "size such as"),
            ("cdua:0", "nearest is 'cuda:0'"), ("cuda:99999999999999999999", "below 256"),
        ])
    func deviceMistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try DeviceSpec(parsing: text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    // MARK: --place

    @Test("pins are read in all their forms, and written as they were")
    func pins() throws {
        let cases: [(String, [PlaceSpec])] = [
            ("vision=1", [PlaceSpec(.vision, .devices([1]))]),
            ("vision=stream", [PlaceSpec(.vision, .stream(nil))]),
            ("vision=cpu,decoder=0-1", [PlaceSpec(.vision, .cpu), PlaceSpec(.decoder, .devices([0, 1]))]),
            ("decoder=0+2-3", [PlaceSpec(.decoder, .devices([0, 2, 3]))]),
            ("Vision=STREAM:1", [PlaceSpec(.vision, .stream([1]))]),
            ("vision=disk", [PlaceSpec(.vision, .disk(nil))]),
            ("vision = cuda:1", [PlaceSpec(.vision, .devices([1]))]),
        ]
        for (text, expected) in cases {
            let read = try PlaceSpec.parse(text)
            #expect(read == expected, "\(text)")
            let written = read.map(\.description).joined(separator: ",")
            #expect(try PlaceSpec.parse(written) == read, "\(written)")
        }
    }

    @Test(
        "every mistake in pins is named",
        arguments: [
            ("", "not understood"), ("vision", "CHAIN=PLACE"), ("vision=", "CHAIN=PLACE"),
            ("vison=1", "nearest is 'vision'"), ("decode=1", "nearest is 'decoder'"),
            ("vision=steam", "nearest is 'stream'"), ("vision=1,vision=2", "again"), ("vision=2-1", "1-2"),
            ("vision=1-2-3", "CHAIN=PLACE"), ("vision=0+", "not understood"), ("vision=300", "below 256"),
            ("vision=stream:", "not understood"), ("decoder=-1", "not understood"),
        ])
    func pinMistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try PlaceSpec.parse(text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test("a pin to a device that does not exist is refused")
    func pinBeyond() throws {
        let pin = try #require(try PlaceSpec.parse("decoder=0-2").first)
        #expect(throws: Never.self) { try pin.check(deviceCount: 3) }
        let error = #expect(throws: PlacementInputError.self) { try pin.check(deviceCount: 1) }
        #expect(error?.description.contains("device 0, the only one") == true)
    }

    // MARK: --cards

    private static let names = ["RTX 4090", "RTX 3090", "T4", "L4", "A100 40GB", "A100 80GB", "RTX 2080 Ti"]

    @Test("cards are read with counts, spellings and sizes")
    func cards() throws {
        let cases: [(String, [CardList.Card])] = [
            ("2x RTX 4090", [.named("RTX 4090"), .named("RTX 4090")]),
            ("RTX 3090, 2x T4", [.named("RTX 3090"), .named("T4"), .named("T4")]),
            ("24GiB,12GiB,8GiB", [.memory(24 << 30), .memory(12 << 30), .memory(8 << 30)]),
            ("NVIDIA GeForce rtx4090", [.named("RTX 4090")]),
            ("4090", [.named("RTX 4090")]),
            ("2 × 2080ti", [.named("RTX 2080 Ti"), .named("RTX 2080 Ti")]),
            ("3*16 GiB", [.memory(16 << 30), .memory(16 << 30), .memory(16 << 30)]),
            ("a100-80gb", [.named("A100 80GB")]),
        ]
        for (text, expected) in cases {
            #expect(try CardList(parsing: text, known: Self.names).cards == expected, "\(text)")
        }
    }

    @Test(
        "every mistake in cards is named",
        arguments: [
            ("", "a card or a size"), ("2x", "a card or a size"), ("0x T4", "count from 1"), ("65x T4", "count from 1"),
            ("40x T4, 40x T4", "at most 64"), ("RTX 4900", "nearest is 'RTX 4090'"), ("A100", "A100 40GB or A100 80GB"),
            ("T4,,T4", "a card or a size"), ("99999999999999999999x T4", "count from 1"), ("0GiB", "out of range"),
        ])
    func cardMistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try CardList(parsing: text, known: Self.names) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }
}
