import FacetPlanReport
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite("Plans as pictures")
struct PlanPictureTests {
    /// The document as elements; nil when it is not well-formed.
    private final class Reader: NSObject, XMLParserDelegate {
        var rectangles: [[String: String]] = []
        var texts: [String] = []
        private var text = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String] = [:]
        ) {
            if name == "rect" { rectangles.append(attributes) }
            text = ""
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
            if name == "text" { texts.append(text) }
        }
    }

    private func read(_ report: PlanReport) throws -> Reader {
        let parser = XMLParser(data: Data(PlanPicture.svg(report).utf8))
        let reader = Reader()
        parser.delegate = reader
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
        return reader
    }

    @Test("the document is well-formed, whatever the names are")
    func wellFormed() throws {
        var report = PlanReportSample.report
        report.model = "a<b>&\"c'\u{0}\u{1B}"
        report.devices[0].card = "]]>&amp;"
        let reader = try read(report)
        #expect(reader.texts.contains { $0.contains("a<b>&\"c'") })
        #expect(reader.texts.contains("RTX 3060 <12>"))
    }

    @Test("segments are to scale and lie inside the picture")
    func scale() throws {
        let reader = try read(PlanReportSample.report)
        func height(_ fill: String, _ index: Int) throws -> Double {
            let all = reader.rectangles.filter { $0["fill"] == fill && $0["width"] == "118" }
            return try #require(Double(all[index]["height"] ?? ""))
        }
        let perByte = 320.0 / Double(24 << 30)
        #expect(abs(try height("#8b5cf6", 0) - 4_500_000_000 * perByte) < 0.02)
        #expect(abs(try height("#2563eb", 0) - 13_000_000_000 * perByte) < 0.02)
        #expect(abs(try height("#2563eb", 1) - 5_000_000_000 * perByte) < 0.02)
        let width = try #require(Double(reader.rectangles.first { $0["rx"] == "10" }?["width"] ?? ""))
        for rectangle in reader.rectangles where rectangle["x"] != nil {
            let x = try #require(Double(rectangle["x"] ?? ""))
            let length = try #require(Double(rectangle["width"] ?? ""))
            #expect(x >= 0 && length >= 0 && x + length <= width)
        }
    }

    @Test("every device, hop and number of the plan is written")
    func contents() throws {
        let texts = try read(PlanReportSample.report).texts
        for part in ["cuda:0", "cuda:1", "cuda:2", "first token 612 ms", "numbers in GiB", "vision: none"] {
            #expect(texts.contains(part), "\(part)")
        }
        #expect(texts.contains { $0.hasPrefix("picture: 12.5 MiB") })
        #expect(texts.contains { $0.hasPrefix("decoder: 16.0 KiB") })
    }

    @Test("many devices, no hops and empty devices are drawn too")
    func extremes() throws {
        var report = PlanReportSample.report
        report.hops = []
        report.devices = Array(repeating: report.devices[2], count: 16)
        #expect(try read(report).texts.filter { $0 == "cuda:2" }.count >= 16)
        report.devices = []
        _ = try read(report)
    }
}
