import FacetPlacement
import FacetPlanReport
import Foundation
import Testing

@Suite("Plans as text and JSON")
struct PlanTextTests {
    private let report = PlanReportSample.report

    @Test("the text names devices, terms, runs, times, hops and reasons")
    func contents() {
        let text = PlanText.text(report)
        for part in [
            "GLM-4V-9B in bfloat16 on RTX 4090 + RTX 3060: fits.", "2 sequences of 1 picture, 48 text tokens",
            "layers 30–62, projector", "patches, layers 0–29 (1 streamed)", "embedding, layers 0–8",
            "layers 9–39, norm, output",
            "First token after 612 ms, then 19.2 ms per step: 104 tokens/s (nominal rates)",
            "largest share of a budget: 0.8123; the best possible is 0.8123", "cuda:1 → cuda:0", "21.9 MiB", "16.0 KiB",
            "Why not otherwise:", "2 GiB more on cuda:1", "cuda:2 is not used", "not in this version",
        ] { #expect(text.contains(part), "'\(part)' is not in\n\(text)") }
        #expect(!text.contains("Values of the formulas"))
        #expect(PlanText.text(report, explains: true).contains("40 KiB"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 132 })
    }

    @Test("needs and free add up to the budget")
    func sums() {
        for device in report.devices {
            #expect(device.neededByteCount == device.terms.reduce(0) { $0 + $1.byteCount })
            #expect(device.neededByteCount + device.headroomByteCount == device.budgetByteCount)
            #expect(device.isUsed == (device.vision != nil || device.decoder != nil))
        }
    }

    @Test("runs are said in few words")
    func runs() throws {
        let chain = UnitName.decoderChain(layerCount: 4)
        func text(_ places: [Int], streaming: Set<Int> = []) -> String? {
            RunReport(places, of: chain) { !streaming.contains($0) }?.text
        }
        #expect(text([]) == nil)
        #expect(text(Array(0..<7)) == "all")
        #expect(text(Array(0..<7), streaming: Set(0..<7)) == "all (streamed)")
        #expect(text([0, 1]) == "embedding, layer 0")
        #expect(text([1, 2, 4, 6], streaming: [2]) == "layers 0–1, layer 3, output (1 streamed)")
    }

    @Test("bars are to scale and as wide as the terminal allows")
    func bars() throws {
        for columns in [20, 80, 132, 1000] {
            let lines = PlanBars.text(report, columns: columns, usesColor: false).split(separator: "\n").map(
                String.init)
            #expect(lines.count >= 4)
            if columns >= 80 { #expect(lines.allSatisfy { $0.count <= columns + 2 }) }
        }
        let bar = try #require(PlanBars.text(report, columns: 120, usesColor: false).split(separator: "\n").first)
        let letters = Dictionary(grouping: bar.drop { $0 != "V" }, by: { $0 }).mapValues(\.count)
        let vision = try #require(letters["V"])
        let decoder = try #require(letters["D"])
        #expect(abs(Double(decoder) / Double(vision) - 13.0 / 4.5) < 0.3)
    }

    @Test("color codes are closed, and without them the bars are the same")
    func color() {
        let colored = PlanBars.text(report, columns: 100, usesColor: true)
        #expect(
            colored.components(separatedBy: "\u{1B}[38;5;").count == colored.components(separatedBy: "\u{1B}[0m").count)
        let plain = PlanBars.text(report, columns: 100, usesColor: false)
        #expect(!plain.contains("\u{1B}"))
        #expect(plain.filter { $0 == "·" } == colored.filter { $0 == "·" })
    }

    @Test("the JSON has the schema's keys and the same numbers")
    func json() throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let object = try #require(
            try JSONSerialization.jsonObject(with: encoder.encode(report)) as? [String: Any])
        #expect(object["schema"] as? String == "facet-plan/1")
        #expect(object["fits"] as? Bool == true)
        let devices = try #require(object["devices"] as? [[String: Any]])
        #expect(devices.map { $0["needed_bytes"] as? Int } == report.devices.map(\.neededByteCount))
        #expect(devices.map { $0["headroom_bytes"] as? Int } == report.devices.map(\.headroomByteCount))
        #expect((devices[0]["vision"] as? [String: Any])?["first_index"] as? Int == 31)
        #expect((object["device_map"] as? [String: String])?["transformer.vision"] == "0")
        #expect((object["hops"] as? [[String: Any]])?.first?["kind"] as? String == "vision")
    }

    @Test("remedies say what then still lacks")
    func remedies() {
        let refusal = RefusalReport(
            reason: "x", deficitBytes: 3 << 30,
            remedies: [
                RefusalReport.Remedy(change: "--chunk 256", deficitBytes: 5 << 29, cost: "none"),
                RefusalReport.Remedy(change: "--place vision=stream", deficitBytes: 0, cost: "0.4 s per picture"),
            ])
        let text = PlanText.remedies(refusal)
        #expect(text.contains("--chunk 256") && text.contains("lacks 2.50 GiB") && text.contains("fits"))
        #expect(PlanText.remedies(RefusalReport(reason: "x", deficitBytes: 1, remedies: [])).isEmpty)
    }
}
