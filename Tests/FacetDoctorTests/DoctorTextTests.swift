import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

@Suite("Report as text and JSON")
struct DoctorTextTests {
    @Test("cards that are alike share a row, and the numbers of rows are those of the JSON")
    func merged() throws {
        let report = DoctorReport(try Machine.named("eight-h200").facts)
        let text = report.text(width: 100, isColored: false)
        #expect(text.contains("ok    bfloat16, cards 0–7"))
        #expect(text.hasSuffix("0 failures, 0 warnings, 0 notes, \(report.findings.count) ok\n"))
        #expect(text.split(separator: "\n").count < 80)
    }

    @Test("lines keep to the width, and nothing of a text is lost", arguments: [60, 80, 100, 160])
    func width(_ width: Int) throws {
        let report = DoctorReport(try Machine.named("busy").facts)
        let text = report.text(width: width, isColored: false)
        for line in text.split(separator: "\n") { #expect(line.count <= width, "\(line)") }
        func words(_ text: String) -> Set<Substring> { Set(text.split { $0 == " " || $0 == "\n" }) }
        for finding in report.findings where finding.verdict >= .warn {
            #expect(words(finding.remedy ?? "").isSubset(of: words(text)))
            #expect(words(finding.found).isSubset(of: words(text)))
        }
    }

    @Test("verdicts are colored when asked for, and only then")
    func colors() throws {
        let report = DoctorReport(try Machine.named("busy").facts)
        #expect(!report.text(width: 100, isColored: false).contains("\u{1B}"))
        let colored = report.text(width: 100, isColored: true)
        #expect(colored.contains("\u{1B}[31mfail\u{1B}[0m") && colored.contains("\u{1B}[33mwarn\u{1B}[0m"))
    }

    @Test("the groups come in order, each once")
    func groups() throws {
        let report = DoctorReport(try Machine.named("busy").facts)
        var groups: [CheckGroup] = []
        for finding in report.findings where finding.group != groups.last { groups.append(finding.group) }
        #expect(groups == CheckGroup.allCases.filter(groups.contains))
        #expect(report.counts.values.reduce(0, +) == report.findings.count)
    }

    @Test("verdicts are ordered and have the documented exit statuses")
    func statuses() {
        #expect(Verdict.allCases == Verdict.allCases.sorted())
        #expect(Verdict.allCases.map(\.exitStatus) == [0, 0, 1, 2])
    }
}
