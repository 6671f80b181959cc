import FacetTestSupport
import Foundation
import Testing

/// `--devices` on the commands that compute.
@Suite struct DevicesOptionTests {
    private let tiny = FixtureFolder.path("glm4v-tiny").path
    private let picture = FixtureFolder.path("glm4v-tiny/images/astronaut.png").path

    private func report(_ devices: String?, _ others: String...) throws -> [String: Any] {
        let run = try CommandRun(
            [
                "run", "--model", tiny, "--dtype", "float32", "--image", picture, "--temperature", "0",
                "--max-tokens", "24", "--context", "512", "--json", "描述这张图片",
            ] + (devices.map { ["--devices", $0] } ?? []) + others)
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
        #expect(Set(placement.values) == ["0", "1", "2"])
        let plan = try #require(several["plan"] as? [String: Any])
        #expect(plan["schema"] as? String == "facet-plan/1" && (plan["devices"] as? [Any])?.count == 3)
    }

    @Test("verify passes on several devices")
    func verify() throws {
        let run = try CommandRun(["verify", "--dtype", "float32", "--devices", "cpu:2", tiny])
        #expect(run.status == 0, "\(run.output)\(run.errorOutput)")
    }

    @Test("a list that makes no sense, and a budget that is too small, are refused")
    func refusals() throws {
        let wrong = [
            "cuda", "cpu:0", "cpu:14", "cpu:65", "gpu:2", "cpu:1=1GiB", "cpu:0=1GiB,cpu:2=1GiB", "cpu:0=many",
            "cpu:0=-1GiB",
            "cpu:0=1GiB,", "cpu:0=0", "cpu:0=1e99GiB",
        ]
        for list in wrong {
            let run = try CommandRun(["run", "--model", tiny, "--devices", list, "hi"])
            #expect(run.status == 1 && run.errorLines.count == 1, "\(list): \(run.errorOutput)")
            #expect(run.errorOutput.contains("--devices"), "\(list): \(run.errorOutput)")
        }
        let small = try CommandRun(["run", "--model", tiny, "--devices", "cpu:0=1MiB,cpu:1=1MiB", "hi"])
        #expect(small.status == 1 && small.errorLines.count == 1, "\(small.errorOutput)")
        #expect(small.errorOutput.contains("does not fit") && small.errorOutput.contains("lacks"))
    }

    @Test("a device map is followed, and answers as one device does")
    func deviceMap() throws {
        let folder = try TemporaryFolder()
        let map = try folder.file(
            "map.json", Data(#"{"transformer.vision": "cpu:1", "transformer": 0, "transformer.output_layer": 1}"#.utf8)
        ).path
        let one = try report(nil)
        let mapped = try report("cpu:2", "--device-map", map)
        #expect(mapped["token_ids"] as? [Int] == one["token_ids"] as? [Int])
        let placement = try #require(mapped["placement"] as? [String: String])
        #expect(placement["vision.layers.2"] == "1" && placement["decoder.layers.3"] == "0")
        #expect(placement["output_layer"] == "1")
    }

    @Test("maps that leave something out, and goals beside a map, are refused")
    func wrongMaps() throws {
        let folder = try TemporaryFolder()
        let part = try folder.file("part.json", Data(#"{"transformer.vision": 0}"#.utf8)).path
        let whole = try folder.file("whole.json", Data(#"{"": 0}"#.utf8)).path
        let absent = try folder.file("absent.json", Data(#"{"": 3}"#.utf8)).path
        let wrong = [
            ["--device-map", part], ["--device-map", absent], ["--device-map", whole, "--optimize", "latency"],
            ["--device-map", whole + ".gone"], ["--optimize", "speed"], ["--max-memory", "7=1GiB"],
        ]
        for options in wrong {
            let run = try CommandRun(["run", "--model", tiny] + options + ["hi"])
            #expect(run.status == 1 && run.errorLines.count == 1, "\(options): \(run.errorOutput)")
        }
    }

    @Test("caps hold, and the fewest devices that suffice are used when that is the goal")
    func capsAndGoal() throws {
        let few = try report("cpu:3", "--optimize", "fewest")
        let placement = try #require(few["placement"] as? [String: String])
        #expect(Set(placement.values).count == 1)
        let capped = try report("cpu:2", "--max-memory", "12MiB")
        for device in try #require(capped["devices"] as? [[String: Any]]) {
            #expect(device["budget_bytes"] as? Int == 12 << 20)
            #expect(try #require(device["peak_bytes"] as? Int) <= 12 << 20)
        }
    }
}
