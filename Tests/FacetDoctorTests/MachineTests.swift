import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

/// A machine of `Tests/Fixtures/doctor` and the rows that are worse than ok.
struct Machine: Sendable, CustomTestStringConvertible {
    let name: String
    let rows: [String]

    var testDescription: String { name }

    var facts: Facts {
        get throws {
            let file = FixtureFolder.path("doctor/\(name).json")
            return try FactsFile.facts(parsing: [UInt8](Data(contentsOf: file)), input: name)
        }
    }

    static let all = [
        Machine(name: "no-card", rows: ["note driver: driver"]),
        Machine(name: "two-4090", rows: ["note peer: peer access, 0→1, 1→0"]),
        Machine(
            name: "mixed",
            rows: [
                "warn visibility: CUDA_DEVICE_ORDER", "note card: display, card 2", "note precision: fp8, card 1",
                "note peer: peer access, 0→1, 0→2, 1→0, 1→2 and 2 more",
            ]),
        Machine(name: "eight-h200", rows: []),
        Machine(name: "mig", rows: ["note precision: fp8, card 0", "warn MIG: instances, card 0"]),
        Machine(
            name: "2080ti",
            rows: [
                "note card: display, card 0", "warn precision: bfloat16, card 0", "note precision: fp8, card 0",
                "note link: memory window, card 0",
            ]),
        Machine(
            name: "old-driver",
            rows: [
                "fail driver: version", "fail driver: CUDA version", "warn precision: bfloat16, card 0",
                "note precision: fp8, card 0",
            ]),
        Machine(name: "after-update", rows: ["fail driver: module and library", "fail card: probe, cards"]),
        Machine(
            name: "busy",
            rows: [
                "warn card: free memory, card 0", "note card: processes, card 0", "note card: processes, card 1",
                "fail card: compute mode, card 1", "note card: display, card 0", "warn health: throttling, card 1",
                "warn health: temperature, card 1", "note peer: peer access, 0→1, 1→0",
            ]),
        Machine(
            name: "wrong-visible-devices",
            rows: ["fail visibility: CUDA_VISIBLE_DEVICES", "note peer: peer access, 0→1, 1→0"]),
        Machine(name: "narrow-link", rows: ["warn link: PCIe width, card 0"]),
        Machine(
            name: "memory-errors",
            rows: [
                "note precision: fp8, card 0", "note precision: fp8, card 1", "fail health: memory errors, card 0",
                "warn health: memory errors, card 1", "note health: power limit, card 1",
                "warn health: faults, 0000:01:00", "warn health: faults, 0000:41:00", "fail peer: peer access, 0→1",
                "fail peer: peer access, 1→0", "warn peer: address translation",
            ]),
        Machine(
            name: "no-driver",
            rows: [
                "note build: back ends", "fail driver: driver", "fail driver: kernel module, 0000:01:00.0",
                "fail driver: libcuda",
            ]),
    ]

    static func named(_ name: String) -> Machine { all.first { $0.name == name } ?? all[0] }
}

@Suite("Machines")
struct MachineTests {
    @Test("every machine gets the verdicts that it deserves, and no others", arguments: Machine.all)
    func verdicts(_ machine: Machine) throws {
        let report = DoctorReport(try machine.facts)
        let rows = report.findings.filter { $0.verdict != .ok }.map { finding in
            "\(finding.verdict.rawValue) \(finding.group.rawValue): \(finding.check)"
                + (finding.subject.map { ", \($0)" } ?? "")
        }
        #expect(rows == machine.rows)
        let worst = machine.rows.map { $0.prefix(4) }
        let status: Int32 = worst.contains("fail") ? 2 : worst.contains("warn") ? 1 : 0
        #expect(report.verdict.exitStatus == status)
    }

    @Test("there is a machine for every file, so that none is forgotten")
    func completeness() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: FixtureFolder.path("doctor").path)
        #expect(Set(files) == Set(Machine.all.map { "\($0.name).json" }))
    }

    @Test("warnings and failures say what is needed and what to do", arguments: Machine.all)
    func remedies(_ machine: Machine) throws {
        for finding in DoctorReport(try machine.facts).findings where finding.verdict >= .warn {
            #expect(finding.needed?.isEmpty == false && finding.remedy?.isEmpty == false, "\(finding)")
        }
    }

    @Test("facts of every machine survive being written and read", arguments: Machine.all)
    func roundTrip(_ machine: Machine) throws {
        let facts = try machine.facts
        let text = try FactsFile.text(facts)
        #expect(try FactsFile.facts(parsing: [UInt8](text.utf8), input: "text") == facts)
    }

    @Test("a machine of which nothing is known is no failure of the checks")
    func nothingKnown() {
        let report = DoctorReport(Facts())
        #expect(report.findings.isEmpty && report.verdict == .ok)
    }

    @Test("a check's rows carry its name and group", arguments: Machine.all)
    func names(_ machine: Machine) throws {
        let facts = try machine.facts
        for check in Check.all {
            for finding in check.findings(facts) {
                #expect(finding.check == check.name && finding.group == check.group)
            }
        }
    }
}
