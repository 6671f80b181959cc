import FacetTestSupport
import Foundation
import Testing

/// `facet plan` through the executable: what it answers, what it writes, and every way its input can be wrong.
@Suite struct PlanCommandTests {
    private static let cards = ["plan", "--cards", "2x RTX 4090"]

    private func object(_ run: CommandRun) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    @Test("a plan for two cards names what each holds, its times and its bound")
    func twoCards() throws {
        let run = try CommandRun(Self.cards + ["--explain"])
        #expect(run.status == 0 && run.errorOutput.isEmpty, "\(run.errorOutput)")
        for part in [
            "2 × RTX 4090: fits", "cuda:1  RTX 4090", "tokens/s (nominal rates)", "the best possible is",
            "Why not otherwise:", "without cuda:0: does not fit", "key/value cache per token", "40.0 KiB",
        ] { #expect(run.output.contains(part), "'\(part)' is not in\n\(run.output)") }
        #expect(!run.output.contains("\u{1B}"))
    }

    @Test("the JSON adds up, and no device is over its budget")
    func json() throws {
        let run = try CommandRun(["plan", "--cards", "24GiB,12GiB,8GiB", "--json"])
        let plan = try object(run)
        #expect(run.status == 0 && plan["schema"] as? String == "facet-plan/1" && plan["fits"] as? Bool == true)
        var units: [String] = []
        for device in try #require(plan["devices"] as? [[String: Any]]) {
            let terms = try #require(device["terms"] as? [[String: Any]])
            let sum = terms.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }
            let budget = try #require(device["budget_bytes"] as? Int)
            #expect(sum == device["needed_bytes"] as? Int && sum <= budget)
            #expect(budget - sum == device["headroom_bytes"] as? Int)
            for chain in ["vision", "decoder"] {
                units += (device[chain] as? [String: Any])?["units"] as? [String] ?? []
            }
        }
        #expect(units.count == 65 + 43 && Set(units).count == units.count)
    }

    @Test("a written device map is checked again with the same result, in both forms")
    func deviceMapRoundTrip() throws {
        let folder = try TemporaryFolder()
        for form in [[], ["--every-unit"]] {
            let file = folder.url.appendingPathComponent("map\(form.count).json").path
            let made = try CommandRun(
                ["plan", "--cards", "4x RTX 2080 Ti", "--write-device-map", file, "--json"] + form)
            #expect(made.status == 0, "\(made.errorOutput)")
            let read = try CommandRun(["plan", "--cards", "4x RTX 2080 Ti", "--device-map", file, "--json"])
            #expect(read.status == 0, "\(read.errorOutput)")
            let (first, second) = (try object(made), try object(read))
            #expect(second["policy"] as? String == "device map")
            for key in ["devices", "hops", "prediction", "device_map"] {
                let left = try JSONSerialization.data(withJSONObject: try #require(first[key]), options: .sortedKeys)
                let right = try JSONSerialization.data(withJSONObject: try #require(second[key]), options: .sortedKeys)
                #expect(left == right, "\(key)")
            }
        }
    }

    @Test("the picture is written")
    func picture() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("plan.svg")
        let run = try CommandRun(Self.cards + ["--svg", file.path])
        #expect(run.status == 0)
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.hasPrefix("<svg ") && text.hasSuffix("</svg>\n") && text.contains("cuda:1"))
    }

    @Test("what does not fit is refused with the deficit, and with remedies in order")
    func refusal() throws {
        let run = try CommandRun(["plan", "--cards", "T4"])
        #expect(run.status == 1 && run.errorLines.count == 1)
        #expect(run.errorOutput.contains("does not fit") && run.errorOutput.contains("lacks"))
        let places = ["--cache-dtype fp8", "--place vision=stream", "--dtype vision=fp8"].compactMap {
            run.output.range(of: $0)?.lowerBound
        }
        #expect(places.count == 3 && places == places.sorted(), "\(run.output)")
        let json = try CommandRun(["plan", "--cards", "T4", "--json"])
        let refusal = try object(json)
        #expect(json.status == 1 && refusal["fits"] as? Bool == false)
        #expect(try #require(refusal["deficit_bytes"] as? Int) > 1 << 30)
        #expect(try #require(refusal["remedies"] as? [[String: Any]]).count >= 4)
    }

    @Test("a remedy that is said to fit does fit", arguments: ["RTX 4090", "T4"])
    func remedies(_ card: String) throws {
        let refused = try object(try CommandRun(["plan", "--cards", card, "--json"]))
        var tried = 0
        for remedy in try #require(refused["remedies"] as? [[String: Any]])
        where remedy["deficit_bytes"] as? Int == 0 {
            let change = try #require(remedy["change"] as? String)
            let run = try CommandRun(["plan", "--cards", card] + change.split(separator: " ").map(String.init))
            #expect(run.status == 0, "\(change): \(run.errorOutput)")
            tried += 1
        }
        #expect(tried > 0)
    }

    @Test("one card holds the decoder while vision is streamed, computed where it is said, or by the processor")
    func pins() throws {
        let streamed = try CommandRun(["plan", "--cards", "RTX 4090", "--place", "vision=stream"])
        #expect(streamed.status == 0 && streamed.output.contains("streamed"), "\(streamed.errorOutput)")
        let processor = try CommandRun(["plan", "--cards", "RTX 4090", "--place", "vision=cpu", "--json"])
        let devices = try #require(try object(processor)["devices"] as? [[String: Any]])
        #expect(devices.map { $0["name"] as? String } == ["cuda:0", "cpu"])
        #expect((devices[1]["vision"] as? [String: Any])?["text"] as? String == "all")
        let pinned = try CommandRun(Self.cards + ["--place", "vision=1", "--place", "decoder=0-1", "--json"])
        let both = try #require(try object(pinned)["devices"] as? [[String: Any]])
        #expect(both[0]["vision"] == nil && both[1]["vision"] != nil)
    }

    @Test("policies fill the devices as their names say, and nothing is offloaded")
    func policies() throws {
        func shares(_ policy: String) throws -> [Int] {
            let run = try CommandRun(["plan", "--cards", "3x RTX 4090", "--policy", policy, "--json"])
            let devices = try #require(try object(run)["devices"] as? [[String: Any]])
            #expect(try object(run)["policy"] as? String == policy)
            return devices.map { $0["needed_bytes"] as? Int ?? 0 }
        }
        let balanced = try shares("balanced")
        #expect(try #require(balanced.max()) - #require(balanced.min()) < 1 << 30)
        #expect(try shares("balanced_low_0")[0] == 0)
        let sequential = try shares("sequential")
        #expect(sequential[0] > sequential[1] && sequential[2] == 0)
    }

    @Test("a card that does not compute in the chosen precision is named")
    func precision() throws {
        let run = try CommandRun(["plan", "--cards", "3x RTX 2080 Ti"])
        #expect(run.output.contains("cuda:0 (RTX 2080 Ti) does not compute in bfloat16; --dtype float16 suits it"))
        let half = try CommandRun(["plan", "--cards", "3x RTX 2080 Ti", "--dtype", "float16"])
        #expect(half.status == 0 && !half.output.contains("does not compute"))
    }

    @Test("other ways are priced, and those that cannot run yet say so")
    func compare() throws {
        let run = try CommandRun(Self.cards + ["--compare"])
        #expect(run.status == 0)
        #expect(run.output.contains("tensor parallel over 2") && run.output.contains("not in this version"))
    }

    @Test("caps are kept")
    func caps() throws {
        let run = try CommandRun(Self.cards + ["--max-memory", "0=10GiB", "--json"])
        let devices = try #require(try object(run)["devices"] as? [[String: Any]])
        let terms = try #require(devices[0]["terms"] as? [[String: Any]])
        let taken = terms.filter { $0["kind"] as? String != "margin" }.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }
        #expect(taken <= 10 << 30 && taken > 0)
    }

    @Test("a machine file is planned for, with the cards that are visible")
    func machineFile() throws {
        let folder = try TemporaryFolder()
        let text = """
            {"name": "bench", "cards": [{"name": "RTX 4090", "uuid": "GPU-aa"}, {"name": "T4"}, {"name": "RTX 3090"}]}
            """
        let file = try folder.file("machine.json", Data(text.utf8)).path
        let run = try CommandRun(["plan", "--machine", file, "--visible-devices", "2,GPU-aa", "--json"])
        #expect(run.status == 1 && run.errorOutput.contains("a UUID in a list that begins with an index"))
        let chosen = try CommandRun(["plan", "--machine", file, "--visible-devices", "2,0", "--json"])
        let devices = try #require(try object(chosen)["devices"] as? [[String: Any]])
        #expect(devices.map { $0["card"] as? String } == ["RTX 3090", "RTX 4090"])
    }

    @Test("this machine is the processor with its memory, and says so")
    func thisMachine() throws {
        let tiny = FixtureFolder.path("glm4v-tiny").path
        let run = try CommandRun(["plan", "--model", tiny, "--tokens", "8", "--new-tokens", "8"])
        #expect(run.status == 0, "\(run.errorOutput)")
        #expect(run.output.contains("computes on the processor") && run.output.contains("(measured rates)"))
    }

    private static let mistakes: [(arguments: [String], part: String)] = [
        (["--cards", "RTX 4900"], "nearest is 'RTX 4090'"), (["--cards", ""], "a card or a size"),
        (["--cards", "T4", "--machine", "x"], "--cards"), (["--machine", "/no/such.json"], "/no/such.json"),
        (["--cards", "T4", "--visible-devices", "0"], "--visible-devices"), (["--visible-devices", "0"], "--machine"),
        (["--cards", "T4", "--max-memory", "0=20"], "20GiB"),
        (["--cards", "T4", "--max-memory", "1=2GiB"], "'1' is unknown"),
        (["--cards", "T4", "--place", "vison=0"], "nearest is 'vision'"),
        (["--cards", "T4", "--place", "vision=1"], "device 0, the only one"),
        (["--cards", "T4", "--place", "vision=0", "--place", "vision=stream"], "again"),
        (["--cards", "T4", "--allow", "streaming"], "--allow"),
        (["--cards", "T4", "--optimize", "ballanced"], "'balanced'"),
        (["--cards", "T4", "--dtype", "bf61"], "nearest is 'bf16'"),
        (["--cards", "T4", "--dtype", "vison=int8"], "'vision'"),
        (["--cards", "T4", "--cache-dtype", "int9"], "nearest is 'int8'"),
        (["--cards", "T4", "--attention", "flash"], "fused"),
        (["--cards", "T4", "--sequences", "0"], "--sequences"),
        (["--cards", "T4", "--tokens", "99999"], "rows together"),
        (["--cards", "T4", "--images", "0", "--tokens", "0", "--new-tokens", "0"], "rows together"),
        (["--cards", "T4", "--chunk", "-1"], "chunk"), (["--preset", "glm-5"], "glm-4v-9b"),
        (["--preset", "glm-4v-9b", "--model", "x"], "--preset"), (["--model", "/no/such"], "/no/such"),
        (["--cards", "T4", "--device-map", "/no/such.json"], "/no/such.json"),
        (["--cards", "T4", "--context-memory", "many"], "--context-memory"),
        (["--cards", "T4", "--margin", "-1"], "--margin"),
        (["--cards", "2x RTX 4090", "--svg", "/no/such/folder/x.svg"], "--svg"),
        (["--cards", "2x RTX 4090", "--write-device-map", "/no/such/folder/x"], "--write-device-map"),
        (["--cards", "40x T4"], "at most 32"), (["--cards", "T4", "--policy", "balanced_low0"], "'balanced_low_0'"),
        (["--cards", "T4", "--policy", "sequential", "--optimize", "latency"], "--optimize"),
        (["--cards", "T4", "--policy", "sequential", "--device-map", "x"], "--policy"),
    ]

    @Test("every mistake on the command line is one line with the option and the remedy", arguments: mistakes.indices)
    func mistake(_ index: Int) throws {
        let (arguments, part) = Self.mistakes[index]
        let run = try CommandRun(["plan"] + arguments)
        #expect(run.status == 1 || run.status == 64, "\(arguments)")
        #expect(run.errorLines.count == 1 && run.errorOutput.hasPrefix("facet: "), "\(run.errorOutput)")
        #expect(run.errorOutput.contains(part), "\(arguments): \(run.errorOutput)")
    }

    @Test("sizes at the ends of what is allowed make a plan or a refusal, never a crash")
    func extremes() throws {
        for arguments in [
            ["--margin", "1024TiB"], ["--context-memory", "1024TiB"], ["--max-memory", "1024TiB,cpu=1024TiB"],
            ["--max-memory", "1MiB"], ["--sequences", "100000"],
            ["--image-batch", "1000", "--attention", "materialized"],
            ["--chunk", "10000000", "--vision-tile", "1000000"], ["--allow", "stream-vision,stream-decoder,disk,cpu"],
            ["--place", "vision=disk,decoder=stream"], ["--place", "vision=cpu,decoder=cpu"],
        ] {
            let run = try CommandRun(Self.cards + arguments)
            #expect(run.status == 0 || run.status == 1, "\(arguments): \(run.status)")
            #expect(run.errorLines.count == Int(run.status), "\(arguments): \(run.errorOutput)")
        }
    }

    private static let wrongMaps: [(text: String, part: String)] = [
        ("{}", "{\"\": 0}"), ("{\"transformer.encoder\": 0}", "a device for"), ("{\"\": 2}", "cuda:0, cuda:1"),
        ("{\"\": 0, \"transformer.encoder.layer.1\": 1}", "nearest is 'transformer.encoder.layers.1'"),
        ("{\"\": 0, \"transformer.vision.transformer.layers.15.mlp\": 1}", "vision.layers.15 is cut"),
        ("{\"\": 0}", "cuda:0 needs"), ("{\"\": 0", "is not JSON"), ("{\"\": \"gpu\"}", "nearest is 'cpu'"),
    ]

    @Test("every mistake in a device map names the file and the key", arguments: wrongMaps.indices)
    func wrongMap(_ index: Int) throws {
        let (text, part) = Self.wrongMaps[index]
        let folder = try TemporaryFolder()
        let file = try folder.file("map.json", Data(text.utf8)).path
        let run = try CommandRun(Self.cards + ["--device-map", file])
        #expect(run.status == 1 && run.errorLines.count == 1 && run.output.isEmpty)
        #expect(run.errorOutput.contains("map.json") && run.errorOutput.contains(part), "\(run.errorOutput)")
    }
}
