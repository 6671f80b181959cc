import FacetTestSupport
import Foundation
import Testing

/// `--devices` on the commands that compute.
@Suite struct DevicesOptionTests {
    private let tiny = FixtureFolder.path("glm4v-tiny").path
    private let picture = FixtureFolder.path("glm4v-tiny/images/astronaut.png").path

    private func report(_ devices: String?) throws -> [String: Any] {
        let run = try CommandRun(
            [
                "run", "--model", tiny, "--dtype", "float32", "--image", picture, "--temperature", "0",
                "--max-tokens", "24", "--context", "512", "--json", "描述这张图片",
            ] + (devices.map { ["--devices", $0] } ?? []))
        #expect(run.status == 0, "\(run.errorOutput)")
        return try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    @Test("run gives the tokens of one device and reports each device's memory")
    func run() throws {
        let one = try report(nil)
        let several = try report("cpu:0=16MiB,cpu:1=16MiB,cpu:2=16MiB")
        #expect(several["token_ids"] as? [Int] == one["token_ids"] as? [Int])
        let devices = try #require(several["devices"] as? [[String: Any]])
        #expect(devices.count == 3)
        for device in devices {
            #expect(device["peak_bytes"] as? Int == device["predicted_bytes"] as? Int)
            #expect(device["budget_bytes"] as? Int == 16 << 20)
        }
        let placement = try #require(several["placement"] as? [String: String])
        #expect(Set(placement.values) == ["0", "1", "2"] && placement["output_layer"] == "2")
    }

    @Test("verify passes on several devices")
    func verify() throws {
        let run = try CommandRun(["verify", "--dtype", "float32", "--devices", "cpu:2", tiny])
        #expect(run.status == 0, "\(run.output)\(run.errorOutput)")
    }

    @Test("a list that makes no sense, and a budget that is too small, are refused")
    func refusals() throws {
        let wrong = [
            "cpu", "cpu:0", "cpu:65", "gpu:2", "cpu:1=1GiB", "cpu:0=1GiB,cpu:2=1GiB", "cpu:0=many", "cpu:0=-1GiB",
            "cpu:0=1GiB,", "cpu:0=0", "cpu:0=1e99GiB",
        ]
        for list in wrong {
            let run = try CommandRun(["run", "--model", tiny, "--devices", list, "hi"])
            #expect(run.status == 1 && run.errorLines.count == 1, "\(list): \(run.errorOutput)")
            #expect(run.errorOutput.contains("--devices"), "\(list): \(run.errorOutput)")
        }
        let small = try CommandRun(["run", "--model", tiny, "--devices", "cpu:0=1MiB,cpu:1=1MiB", "hi"])
        #expect(small.status == 1 && small.errorLines.count == 1, "\(small.errorOutput)")
        #expect(small.errorOutput.contains("too few") && small.errorOutput.contains("cpu:0"))
    }
}
