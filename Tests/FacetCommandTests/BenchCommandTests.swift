import FacetTestSupport
import Foundation
import Testing

/// `facet bench` with limits and beside other programs.
@Suite struct BenchCommandTests {
    private let quick = ["--prompt-tokens", "16", "--new-tokens", "2", "--repeats", "1"]
    private let recipe = FixtureFolder.path("glm4v-tiny/config.json").path

    private func json(_ arguments: [String]) throws -> [String: Any] {
        let run = try CommandRun(arguments + ["--json"])
        #expect(run.status == 0, "\(run.errorOutput)")
        return try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    private func figures(_ arguments: [String]) throws -> [[String: Any]] {
        try #require(try json(["bench", "model"] + quick + arguments)["figures"] as? [[String: Any]])
    }

    @Test("limits are positive rates")
    func limits() throws {
        let report = try json(["bench", "limits", "--threads", "1"])
        for name in ["float32", "read"] { #expect(try #require(report[name] as? Double) > 0, "\(name)") }
        #expect(report["threads"] as? Int == 1)
    }

    @Test("a config.json is measured with random weights: every phase, with its fraction of the limits")
    func configuration() throws {
        let figures = try figures(["--config", recipe, "--requests", "3", "--limits"])
        #expect(
            figures.map { $0["size"] as? String } == ["16 tokens", "1 request", "3 requests", "65 rows"])
        for figure in figures {
            let number = { (name: String) in try #require(figure[name] as? Double, "\(figure)") }
            let (median, limit, fraction) = (try number("median"), try number("limit"), try number("fraction"))
            #expect(limit > 0 && abs(fraction - median / limit) <= 1e-9 * fraction, "\(figure)")
        }
    }

    @Test("peers' figures meet ours in the table, and those of other work are counted")
    func comparison() throws {
        let own = try figures(["--config", recipe, "--no-image"])
        var peer = try #require(own.first)
        peer["program"] = "other"
        peer["median"] = try #require(peer["median"] as? Double) / 1000
        var stranger = peer
        stranger["size"] = "17 tokens"
        let lines = try [peer, stranger].map { try JSONSerialization.data(withJSONObject: $0) }
        let folder = try TemporaryFolder()
        let file = try folder.file("peers.jsonl", Data(lines.joined(separator: Data("\n".utf8))))
        let arguments = ["bench", "model", "--config", recipe, "--no-image", "--compare", file.path] + quick
        let run = try CommandRun(arguments)
        #expect(run.status == 0, "\(run.errorOutput)")
        #expect(run.output.contains("other") && run.output.contains("ratio") && run.output.contains("×"))
        #expect(run.output.contains("1 other figure is of other work"))
        let report = try json(arguments)
        let comparison = try #require(report["comparison"] as? [String: Any])
        let rows = try #require(comparison["rows"] as? [[String: Any]])
        let peers = try #require(rows.first?["peers"] as? [[String: Any]])
        #expect(try #require(peers.first?["ratio"] as? Double) > 1)
        #expect(comparison["unmatched_count"] as? Int == 1)
    }

    @Test("what cannot be measured is refused in one line, before anything is measured")
    func refusals() throws {
        let folder = try TemporaryFolder()
        let empty = try folder.file("empty.jsonl", Data()).path
        let cut = try folder.file("cut.jsonl", Data(#"{"name": "decode""#.utf8)).path
        let text = try folder.file("text.json", Data("sizes".utf8)).path
        let wrong: [([String], String)] = [
            (["model", "--config", folder.url.path + "/none.json"], "none.json"),
            (["model", "--config", text], "text"),
            (["model", "--config", recipe, "--preset", "glm-4v-9b"], "one of the three"),
            (["model", "--layers", "1"], "--layers"), (["model", "--config", recipe, "--layers", "9"], "--layers"),
            (["ops", "--compare", empty], "empty.jsonl"), (["model", "--compare", cut], "line 1"),
            (["limits", "--threads", "0"], "--threads"),
        ]
        for (arguments, part) in wrong {
            let run = try CommandRun(["bench"] + arguments)
            #expect(run.status == 1 && run.errorLines.count == 1, "\(arguments): \(run.errorOutput)")
            #expect(run.output.isEmpty && run.errorOutput.contains(part), "\(arguments): \(run.errorOutput)")
        }
    }
}
