import FacetDoctor
import FacetTestSupport
import Foundation
import Testing

@Suite("Bundle")
struct BundleTests {
    private static let redaction = Redaction(
        folders: [("/people/anna/models/glm-4v-9b/", "MODEL"), ("/people/anna", "HOME")],
        names: [("anna", "USER"), ("workbench", "HOST"), ("x", "USER")])

    @Test(
        "texts lose folders, names and tokens, and keep the rest",
        arguments: [
            ("nothing personal, x86", "nothing personal, x86"),
            (
                "/people/anna/models/glm-4v-9b/model-1.safetensors is truncated",
                "MODEL/model-1.safetensors is truncated"
            ),
            ("cannot read '/people/anna/notes.txt'", "cannot read 'HOME/notes.txt'"),
            ("anna@workbench: no driver", "USER@HOST: no driver"),
            ("hanna and annabel", "hanna and annabel"),
            ("opening /disk/private/secret-project/weights.bin failed", "opening …/weights.bin failed"),
            (
                "/dev/nvidia0 and /usr/lib/x86_64-linux-gnu/libcuda.so.1",
                "/dev/nvidia0 and /usr/lib/x86_64-linux-gnu/libcuda.so.1"
            ),
            ("token=hf_abcdefghijklmnop", "token=TOKEN"),
            ("16.0 GT/s PCIe, 1/2", "16.0 GT/s PCIe, 1/2"),
            ("", ""),
        ])
    func texts(_ text: String, _ expected: String) {
        #expect(Self.redaction.redacted(text) == expected)
    }

    @Test("no field of the facts escapes")
    func everyField() throws {
        var facts = try Machine.named("busy").facts
        facts.model = ModelFacts()
        facts.model?.location = "/people/anna/models/glm-4v-9b"
        facts.model?.filesProblem = "/people/anna/models/glm-4v-9b/config.json is missing"
        facts.model?.unknownFields = ["anna"]
        facts.environment = EnvironmentFacts(["CUDA_VISIBLE_DEVICES": "hf_abcdefghijklmnop"])
        facts.gpu?.libraries = [LibraryFacts(name: "libx", isLoadable: false, reason: "/people/anna/lib/libx.so: bad")]
        facts.probes = [ProbeFacts(name: "cards", outcome: .failed, seconds: 1, reason: "on workbench, by anna")]
        let bundle = try Bundle(facts, Self.redaction)
        let text = try bundle.text
        for word in ["anna", "workbench", "hf_", "python3", "Xorg", "/people"] {
            #expect(!text.contains(word), "'\(word)' is in the bundle")
        }
        #expect(bundle.facts.gpu?.cards?[0].processes?.map(\.usedBytes) == [20 << 30, 412 << 20])
        #expect(bundle.facts.model?.location == nil)
        #expect(text.contains("MODEL/config.json is missing"))
        #expect(bundle.findings == DoctorReport(bundle.facts).findings)
    }

    @Test(
        "a user or host with an everyday name changes no verdict",
        arguments: ["nvidia", "default", "finished", "failed", "root", "ubuntu", "prohibited"])
    func everydayNames(_ name: String) throws {
        let redaction = Redaction(folders: [], names: [(name, "USER")])
        for machine in Machine.all {
            let facts = try machine.facts
            let bundle = try Bundle(facts, redaction)
            #expect(bundle.findings.map(\.verdict) == DoctorReport(facts).findings.map(\.verdict))
        }
    }

    @Test("a bundle can be judged elsewhere, with the same verdicts", arguments: Machine.all)
    func judgedElsewhere(_ machine: Machine) throws {
        let facts = try machine.facts
        let bundle = try Bundle(facts, Self.redaction)
        let read = try FactsFile.facts(parsing: [UInt8](try bundle.text.utf8), input: "bundle")
        #expect(DoctorReport(read).findings.map(\.verdict) == DoctorReport(facts).findings.map(\.verdict))
        #expect(try bundle.summary.hasPrefix("facts: "))
    }

    @Test(
        "files that hold no facts are refused with the place",
        arguments: [
            ("", "is not JSON"), ("[]", "an array"), ("{\"host\": 5}", "host"),
            ("{\"probes\": [], \"host\": {\"total_bytes\": \"much\"}}", "host.totalBytes"),
            ("{\"probes\": [{\"name\": \"x\"}]}", "probes.[0]"), ("{}", "probes"),
            ("{\"facts\": {\"probes\": [{\"name\": \"x\", \"outcome\": \"odd\", \"seconds\": 1}]}}", "outcome"),
        ])
    func malformed(_ text: String, _ place: String) {
        let error = #expect(throws: FactsFile.FormError.self) {
            try FactsFile.facts(parsing: [UInt8](text.utf8), input: "facts.json")
        }
        #expect(error?.description.contains(place) == true, "\(String(describing: error))")
    }
}
