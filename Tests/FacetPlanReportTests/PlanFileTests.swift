import FacetPlacement
import FacetPlanReport
import FacetTestSupport
import Foundation
import Testing

@Suite("Machine files and device map files")
struct PlanFileTests {
    private func machine(_ text: String) throws -> MachineFile {
        try MachineFile(parsing: Array(text.utf8), input: "m.json")
    }
    private func map(_ text: String) throws -> DeviceMap { try DeviceMapFile.read(Array(text.utf8), input: "d.json") }

    @Test("a machine is read with sizes in both forms, links and the host")
    func reading() throws {
        let file = try machine(
            """
            {"name": "bench", "cards": [
              {"name": "RTX 4090", "free_bytes": "22GiB", "total_bytes": "24GiB", "uuid": "GPU-1", "pci_id": "0000:01:00.0"},
              {"total_bytes": 12884901888, "index": 1, "tflops": 50, "bandwidth_gb_s": 360}],
             "links": [{"between": [1, 0], "gb_s": 25, "latency_us": 8}], "cpu_free_bytes": "64GiB"}
            """)
        #expect(file.name == "bench" && file.hostFreeByteCount == 64 << 30)
        #expect(file.cards.map(\.totalByteCount) == [24 << 30, 12 << 30])
        #expect(file.cards[0].freeByteCount == 22 << 30 && file.cards[1].freeByteCount == nil)
        #expect(file.links.map(\.cards) == [[0, 1]] && file.links.map(\.bandwidth) == [25])
        #expect(file.links.map(\.latency) == [8e-6])
    }

    @Test("the machine of a fixture is read from its member")
    func fixtureForm() throws {
        let file = try machine(
            """
            {"schema": "x", "cases": [1], "machine": {"name": "2x24", "gpus": [
              {"index": 0, "total_bytes": 25769803776, "free_bytes": 25232932864},
              {"index": 1, "total_bytes": 25769803776, "free_bytes": 25232932864}], "cpu_free_bytes": 68719476736}}
            """)
        #expect(file.name == "2x24" && file.cards.count == 2 && file.cards[1].freeByteCount == 25_232_932_864)
    }

    private static let machineMistakes: [(String, String)] = [
        ("", "is not JSON"), ("[]", "an object"), ("{}", "\"cards\""), ("{\"cards\": 3}", "an array"),
        ("{\"cards\": [3]}", "cards[0]"), ("{\"cards\": [{}]}", "a name or a size of cards[0]"),
        ("{\"cards\": [{\"nmae\": \"T4\"}]}", "nearest is 'name'"),
        ("{\"cards\": [{\"total_bytes\": \"24\"}]}", "24GiB"), ("{\"cards\": [{\"total_bytes\": -1}]}", "whole number"),
        ("{\"cards\": [{\"total_bytes\": 1.5}]}", "whole number"),
        ("{\"cards\": [{\"total_bytes\": 9223372036854775807}]}", "up to 2^50"),
        ("{\"cards\": [{\"name\": 4090}]}", "a text"),
        ("{\"cards\": [{\"total_bytes\": \"8GiB\", \"free_bytes\": \"9GiB\"}]}", "at most its total_bytes"),
        ("{\"cards\": [{\"name\": \"T4\", \"index\": 1}]}", "the card's place"),
        ("{\"cards\": [{\"name\": \"T4\", \"tflops\": 0}]}", "tflops"),
        ("{\"cards\": [], \"gpu\": 1}", "nearest is 'gpus'"),
        ("{\"cards\": [{\"name\": \"T4\"}], \"links\": [{\"between\": [0, 0], \"gb_s\": 1}]}", "two different cards"),
        ("{\"cards\": [{\"name\": \"T4\"}], \"links\": [{\"between\": [0, 1], \"gb_s\": 1}]}", "two different cards"),
        (
            "{\"cards\": [{\"name\": \"T4\"}, {\"name\": \"T4\"}], \"links\": [{\"between\": [0, 1]}]}", "links[0].gb_s"
        ),
        (
            "{\"cards\": [{\"name\": \"T4\"}, {\"name\": \"T4\"}], \"links\": [{\"between\": [0, 1], \"gb_s\": 1}, "
                + "{\"between\": [1, 0], \"gb_s\": 1}]}", "links[1]"
        ),
        ("{\"cards\": [], \"cards\": []}", "second time"), ("{\"name\": \"\u{1}\", \"cards\": []}", "is not JSON"),
    ]

    @Test("every mistake in a machine file is named", arguments: machineMistakes)
    func mistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try machine(text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("m.json") == true)
    }

    @Test("visible cards are chosen by index, UUID or place on the bus, and take their links along")
    func visible() throws {
        let file = try machine(
            """
            {"cards": [{"name": "A", "uuid": "GPU-aa1"}, {"name": "B", "uuid": "GPU-bb2", "pci_id": "0000:65:00.0"},
              {"name": "C"}],
             "links": [{"between": [0, 2], "gb_s": 7}, {"between": [1, 2], "gb_s": 9}]}
            """)
        let some = try file.visible("2,0")
        #expect(some.machine.cards.map(\.name) == ["C", "A"] && some.machine.links.map(\.bandwidth) == [7])
        #expect(some.machine.links.map(\.cards) == [[0, 1]] && some.notes.isEmpty)
        #expect(some.mapping.hasPrefix("cuda:0 = card 2 (no PCI id, no UUID), cuda:1 = card 0"))
        #expect(try file.visible("GPU-bb").machine.cards.map(\.name) == ["B"])
        #expect(try file.visible("65:00.0").machine.cards.map(\.name) == ["B"])
        let nothing = try file.visible("-1")
        #expect(nothing.machine.cards.isEmpty && nothing.notes.count == 1)
        for wrong in ["3", "0,0", "GPU-cc", "x", "no UUID"] {
            #expect(throws: VisibleDevicesError.self) { try file.visible(wrong) }
        }
    }

    @Test("a device map is read in both forms, and what is written reads back")
    func deviceMaps() throws {
        let plain = try map("{\"transformer.encoder\": 0, \"\": \"cuda:1\", \"transformer.vision\": \"cpu\"}")
        #expect(plain.entries.map(\.key) == ["transformer.encoder", "", "transformer.vision"])
        #expect(plain.entries.map(\.place) == [.index(0), .name("cuda:1"), .host])
        #expect(try map("{\"device_map\": {\"\": 1}}").entries == [DeviceMap.Entry("", .index(1))])
        let text = DeviceMapFile.text(plain)
        #expect(try map(text) == plain)
        #expect(text.hasPrefix("{\n  \"transformer.encoder\": 0,\n"))
    }

    @Test(
        "every mistake in a device map file is named",
        arguments: [
            ("", "is not JSON"), ("[]", "an object of modules"), ("{\"a\": null}", "a: null"),
            ("{\"a\": 1.5}", "a: 1.5"),
            ("{\"a\": -1}", "a: -1"), ("{\"a\": \"gpu\"}", "nearest is 'cpu'"), ("{\"a\": {\"b\": 1}}", "a: {"),
            ("{\"a\": 0, \"a\": 1}", "second time"), ("{\"a\": 999}", "a: 999"),
        ])
    func mapMistakes(_ text: String, _ part: String) {
        let error = #expect(throws: PlacementInputError.self) { try map(text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test("files cut off at any byte and files with changed bytes are read or refused in one line")
    func mutations() {
        let whole = Array(
            """
            {"name":"b","cards":[{"name":"T4","free_bytes":"2GiB","total_bytes":12884901888},{"total_bytes":"1g"}],\
            "links":[{"between":[0,1],"gb_s":25}],"cpu_free_bytes":1}
            """.utf8)
        func check(_ bytes: [UInt8]) {
            do throws(PlacementInputError) { _ = try MachineFile(parsing: bytes, input: "m") } catch {
                #expect(error.description.hasSuffix(".") && !error.description.contains("\n"))
            }
            do throws(PlacementInputError) { _ = try DeviceMapFile.read(bytes, input: "m") } catch {
                #expect(error.description.hasSuffix(".") && !error.description.contains("\n"))
            }
        }
        for count in whole.indices { check(Array(whole[..<count])) }
        var state: UInt64 = 11
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0...random(3) { bytes[random(bytes.count)] = UInt8(random(256)) }
            check(bytes)
        }
    }
}
