import FacetTestSupport
import Foundation
import Testing

/// `facet doctor` with stand-in libraries of the driver: two cards, of which NVML knows one well and one hardly at all.
@Suite struct DoctorCardTests {
    private static var library: String {
        CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libFakeCUDA.so").path
    }

    private static func run(_ libraries: [String]) throws -> CommandRun {
        let settings = Dictionary(uniqueKeysWithValues: libraries.map { ($0, library) })
        let unset = ["CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"]
        return try CommandRun(
            ["doctor", "--json", "--time-limit", "3600"], environment: settings.merging(unset) { $1 })
    }

    private func rows(_ run: CommandRun) throws -> [String: [String: Any]] {
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        let rows = try #require(object?["findings"] as? [[String: Any]])
        return Dictionary(
            rows.map { row in
                let names = ["group", "check", "subject"].compactMap { row[$0] as? String }
                return (names.joined(separator: "/"), row)
            }, uniquingKeysWith: { first, _ in first })
    }

    @Test("what NVML and CUDA say of cards reaches the report")
    func cards() throws {
        let run = try Self.run(["FACET_CUDA_DRIVER", "FACET_NVML"])
        let rows = try rows(run)
        #expect(run.status == 2 && run.errorOutput.isEmpty, "\(run.errorOutput)")
        func verdict(_ name: String) -> String? { rows[name]?["verdict"] as? String }
        func found(_ name: String) -> String { rows[name]?["found"] as? String ?? "" }
        #expect(verdict("driver/version") == "ok" && found("driver/version").hasPrefix("550.54.14"))
        #expect(found("driver/CUDA version").hasPrefix("12.4") && verdict("driver/start") == "ok")
        #expect(found("card/kind/card 1").contains("capability 8.9"))
        #expect(found("card/kind/card 0").contains("Stand-in 1"))
        #expect(verdict("card/compute mode/card 1") == "fail")
        #expect(verdict("health/memory errors/card 1") == "fail" && rows["health/memory errors/card 0"] == nil)
        #expect(verdict("health/throttling/card 1") == "warn" && found("health/temperature/card 1") == "61 °C")
        #expect(found("health/power limit/card 1").hasPrefix("350 W, 123.5 W now"))
        #expect(verdict("link/PCIe width/card 1") == "warn" && verdict("link/NVLink/card 1") == "warn")
        #expect(rows.keys.contains { $0.hasPrefix("peer/peer access") }, "\(rows.keys.sorted())")
    }

    @Test("a library that was named and is not there is a failure")
    func wrongSetting() throws {
        let run = try CommandRun(["doctor"], environment: ["FACET_NVML": "/nowhere/libnvidia-ml.so"])
        #expect(run.status == 2 && run.output.contains("FACET_NVML"), "\(run.output)")
    }
}
