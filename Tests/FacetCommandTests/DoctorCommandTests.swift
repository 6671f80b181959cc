import FacetTestSupport
import Foundation
import Testing

/// `facet doctor` through the executable, on whatever machine the tests run, and on machines of files.
@Suite struct DoctorCommandTests {
    private static func machine(_ name: String) -> String { FixtureFolder.path("doctor/\(name).json").path }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("this machine is examined, whatever it has, and computes rightly")
    func thisMachine() throws {
        let run = try CommandRun(["doctor", "--json", "--time-limit", "3600"])
        let report = try object(run.output)
        #expect((0...2).contains(run.status) && run.errorOutput.isEmpty, "\(run.errorOutput)")
        #expect(report["schema"] as? String == "facet-doctor/1")
        #expect(Set(report.keys) == ["schema", "version", "verdict", "counts", "findings", "probes"])
        let rows = try #require(report["findings"] as? [[String: Any]])
        let selfTest = rows.filter { $0["group"] as? String == "self-test" }
        #expect(selfTest.map { $0["verdict"] as? String } == ["ok", "ok"])
        let checks = rows.compactMap { $0["check"] as? String }
        for check in ["processor", "memory", "version", "driver"] { #expect(checks.contains(check), "\(checks)") }
        let verdicts = ["ok", "note", "warn", "fail"]
        let worst = rows.compactMap { verdicts.firstIndex(of: $0["verdict"] as? String ?? "") }.max() ?? 0
        #expect(report["verdict"] as? String == verdicts[worst] && run.status == [0, 0, 1, 2][worst])
    }

    @Test(
        "the exit status is the worst verdict's",
        arguments: [("no-card", 0), ("two-4090", 0), ("2080ti", 1), ("busy", 2)] as [(String, Int32)])
    func statuses(_ name: String, _ status: Int32) throws {
        let run = try CommandRun(["doctor", "--facts", Self.machine(name)])
        #expect(run.status == status && run.errorOutput.isEmpty, "\(run.errorOutput)")
        #expect(run.output.hasSuffix(" ok\n") && !run.output.contains("\u{1B}"))
    }

    @Test("a model folder is examined, and what is missing from it is a failure")
    func model() throws {
        let whole = try CommandRun(
            ["doctor", "--json", "--model", FixtureFolder.path("glm4v-tiny").path, "--time-limit", "3600"])
        let rows = try #require(try object(whole.output)["findings"] as? [[String: Any]])
        let model = rows.filter { $0["group"] as? String == "model" && $0["check"] as? String != "file system" }
        #expect(
            model.map { $0["check"] as? String } == [
                "files", "configuration", "tensors", "tokenizer", "free disk", "memory",
            ])
        #expect(model.allSatisfy { $0["verdict"] as? String == "ok" }, "\(model)")
        let empty = try TemporaryFolder()
        let missing = try CommandRun(["doctor", "--model", empty.url.path, "--time-limit", "3600"])
        #expect(missing.status == 2 && missing.output.contains("The folder"), "\(missing.output)")
    }

    @Test("a bundle is written whole, holds no path of this machine, and can be judged again")
    func bundle() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("bundle.json").path
        let model = try folder.copy(of: FixtureFolder.path("glm4v-tiny"), as: "private model")
        try FileManager.default.removeItem(at: model.appendingPathComponent("tokenizer.model"))
        let run = try CommandRun(
            ["doctor", "--model", model.path, "--bundle", file, "--json", "--time-limit", "3600"])
        #expect(
            run.status == 2 && run.errorLines.count == 1 && run.errorOutput.contains("facet: wrote \(file): facts:"))
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(try object(text)["schema"] as? String == "facet-doctor-bundle/1")
        #expect(text.contains("MODEL/tokenizer.model"))
        for word in [folder.url.path, "private model", NSHomeDirectory() + "/"] {
            #expect(!text.contains(word), "'\(word)' is in the bundle")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count == 2)
        let again = try CommandRun(["doctor", "--json", "--facts", file])
        let (first, second) = (try object(run.output), try object(again.output))
        #expect(again.status == run.status)
        #expect(first["counts"] as? [String: Int] == second["counts"] as? [String: Int])
    }

    @Test(
        "what cannot be read, written or meant is one line",
        arguments: [
            (["--facts", "/nowhere/facts.json"], "cannot read '/nowhere/facts.json'"),
            (["--facts", machine("busy"), "--model", "x"], "--model must be left out beside --facts"),
            (["--time-limit", "0"], "--time-limit must be more than 0"),
            (["--facts", machine("busy"), "--bundle", "/nowhere/bundle.json"], "cannot write to the file"),
        ] as [([String], String)])
    func errors(_ arguments: [String], _ message: String) throws {
        let run = try CommandRun(["doctor"] + arguments)
        #expect(run.status == 3 && run.errorLines.count == 1 && run.errorOutput.contains(message), "\(run.errorOutput)")
    }
}
