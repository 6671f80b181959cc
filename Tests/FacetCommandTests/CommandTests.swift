import FacetTestSupport
import Foundation
import Testing

/// The executable as a person uses it, on the tiny reference checkpoint and on the embedded model.
@Suite struct CommandTests {
    private let tiny = FixtureFolder.path("glm4v-tiny").path
    private let picture = FixtureFolder.path("glm4v-tiny/images/astronaut.png").path

    private func json(_ run: CommandRun) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    @Test("run streams the tokens that the reference computed, and reports them as JSON")
    func runReport() throws {
        let expected = try #require(
            JSONSerialization.jsonObject(
                with: Data(contentsOf: FixtureFolder.path("glm4v-tiny/cases/image/expected.json"))) as? [String: Any])
        let run = try CommandRun([
            "run", "--model", tiny, "--dtype", "float32", "--image", picture, "--temperature", "0", "--max-tokens",
            "24", "--json", "描述这张图片",
        ])
        #expect(run.status == 0, "\(run.errorOutput)")
        let report = try json(run)
        #expect(report["token_ids"] as? [Int] == expected["greedy_token_ids"] as? [Int])
        #expect(report["prompt_token_count"] as? Int == 13)
        #expect(report["image_token_count"] as? Int == 18)
        #expect(report["finish_reason"] as? String == "length")
        #expect((report["peak_memory_bytes"] as? Int).map { $0 > 1 << 20 } == true)
        let timings = try #require(report["timings"] as? [String: Any])
        for name in ["load", "image", "prefill", "time_to_first_token", "per_token"] {
            #expect((timings[name] as? Double).map { $0 >= 0 } == true, "\(name)")
        }
    }

    @Test("a picture may come from a file, from standard input or in a data: URL")
    func pictureSources() throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: picture))
        let arguments = ["run", "--temperature", "0", "describe", "--image"]
        let fromFile = try CommandRun(arguments + [picture])
        let fromInput = try CommandRun(arguments + ["-"], input: bytes)
        let fromURL = try CommandRun(arguments + ["data:image/png;base64," + bytes.base64EncodedString()])
        #expect(fromFile.status == 0 && !fromFile.output.isEmpty, "\(fromFile.errorOutput)")
        #expect(fromInput.output == fromFile.output)
        #expect(fromURL.output == fromFile.output)
    }

    @Test("the number of threads does not change the answer")
    func threads() throws {
        let arguments = ["run", "--model", tiny, "--image", picture, "--temperature", "0", "--max-tokens", "12", "hi"]
        let one = try CommandRun(arguments + ["--threads", "1"])
        #expect(one.status == 0)
        for count in ["2", "3"] { #expect(try CommandRun(arguments + ["--threads", count]).output == one.output) }
    }

    @Test("a cache of bytes takes less memory on every device, and the demo model answers in the same words")
    func quantizedCache() throws {
        let arguments = ["run", "--image", picture, "--temperature", "0", "--max-tokens", "24", "describe"]
        let exact = try CommandRun(arguments), bytes = try CommandRun(arguments + ["--cache-dtype", "int8"])
        #expect(bytes.status == 0 && bytes.output == exact.output, "\(bytes.output)\(bytes.errorOutput)")
        func predicted(_ options: [String]) throws -> Int {
            let run = try CommandRun(["run", "--model", tiny, "--devices", "cpu:2", "--json", "hi"] + options)
            let devices = try #require(try json(run)["devices"] as? [[String: Any]], "\(run.errorOutput)")
            return try devices.reduce(0) { try $0 + #require($1["predicted_bytes"] as? Int) }
        }
        #expect(try predicted(["--kv-dtype", "int8"]) < predicted([]))
    }

    @Test("a seed repeats its draws")
    func seed() throws {
        let arguments = ["run", "--model", tiny, "--temperature", "2", "--max-tokens", "16", "hi", "--seed"]
        let first = try CommandRun(arguments + ["1"])
        #expect(first.status == 0)
        #expect(try CommandRun(arguments + ["1"]).output == first.output)
        #expect(try CommandRun(arguments + ["2"]).output != first.output)
    }

    @Test("chat keeps a conversation, saves it and survives mistakes")
    func chat() throws {
        let folder = try TemporaryFolder()
        let saved = folder.url.appendingPathComponent("talk.json")
        let lines = [
            "/image \(picture)", "describe", "/nonsense", "and now?", "/save \(saved.path)", "/reset",
            "/save /no/such/folder/x.json", "/quit",
        ]
        let run = try CommandRun(
            ["chat", "--temperature", "0", "--max-tokens", "8"], input: Data(lines.joined(separator: "\n").utf8))
        #expect(run.status == 0, "\(run.errorOutput)")
        #expect(run.errorOutput.contains("'/nonsense' is not a command"))
        #expect(run.errorOutput.contains("cannot write to '/no/such/folder/x.json'"))
        let messages = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: saved)) as? [[String: Any]])
        #expect(messages.map { $0["role"] as? String } == ["user", "assistant", "user", "assistant"])
        #expect(messages[0]["image"] as? Bool == true)
    }

    @Test("inspect lists the parts of a checkpoint and finds it complete")
    func inspect() throws {
        let report = try json(CommandRun(["inspect", tiny, "--json"]))
        #expect((report["parts"] as? [[String: Any]])?.count == 6)
        #expect((report["missing"] as? [String])?.isEmpty == true)
        let text = try CommandRun(["inspect", tiny])
        #expect(text.status == 0)
        #expect(text.output.contains("decoder layers") && text.output.contains("Complete"))
    }

    @Test("inspect names a tensor that is missing, and fails")
    func inspectMissing() throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: URL(fileURLWithPath: tiny), as: "model")
        let file = copy.appendingPathComponent("config.json")
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "\"num_layers\": 4", with: "\"num_layers\": 5").utf8).write(to: file)
        let run = try CommandRun(["inspect", copy.path])
        #expect(run.status == 1)
        #expect(run.output.contains("missing") && run.output.contains("encoder.layers.4"))
        #expect(run.errorLines.count == 1)
    }

    @Test("tokenize goes to ids and back, for lines and for JSON")
    func tokenize() throws {
        let lines = Data("hello\n你好\n".utf8)
        let ids = try CommandRun(["tokenize", "--model", tiny], input: lines)
        #expect(ids.output == "317 75 409\n2059\n")
        #expect(
            try CommandRun(["tokenize", "--model", tiny, "--decode"], input: Data(ids.output.utf8)).output
                == "hello\n你好\n")
        let json = try CommandRun(["tokenize", "--model", tiny], input: Data(#"["hello", "a\nb"]"#.utf8))
        let lists = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[Int]]
        #expect(lists?.first == [317, 75, 409])
        let back = try CommandRun(["tokenize", "--model", tiny, "--decode"], input: Data(json.output.utf8))
        #expect(try JSONSerialization.jsonObject(with: Data(back.output.utf8)) as? [String] == ["hello", "a\nb"])
    }

    @Test("verify agrees with the reference data, and fails where it does not")
    func verify() throws {
        let good = try CommandRun(["verify", FixtureFolder.path("tokenizer-tiny").path, "--json"])
        #expect(good.status == 0, "\(good.errorOutput)")
        #expect(try json(good)["failed"] as? Int == 0)
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: FixtureFolder.path("tokenizer-tiny"), as: "cases")
        let file = copy.appendingPathComponent("decode_cases.json")
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "emoji", with: "imoji").utf8).write(to: file)
        let bad = try CommandRun(["verify", copy.path])
        #expect(bad.status == 1)
        #expect(bad.output.contains("MISS"))
    }

    @Test("bench reports a median and its spread")
    func bench() throws {
        let report = try json(
            CommandRun(["bench", "model", "--prompt-tokens", "16", "--new-tokens", "4", "--repeats", "2", "--json"]))
        let decode = try #require(report["decode_tokens_per_second"] as? [String: Double])
        #expect(decode["median"].map { $0 > 0 } == true)
    }

    @Test("help and version end well", arguments: [["--help"], ["run", "--help"], ["--version"], ["help", "chat"]])
    func help(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 0)
        #expect(!run.output.isEmpty)
    }
}

/// Control-C while an answer is being produced.
@Suite struct InterruptTests {
    @Test("Control-C stops at the next token and keeps what was produced")
    func interrupt() throws {
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = [
            "run", "--model", FixtureFolder.path("glm4v-tiny").path, "--temperature", "0", "--max-tokens", "8000", "hi",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let first = output.fileHandleForReading.availableData
        process.interrupt()
        let rest = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 130)
        #expect(!first.isEmpty)
        #expect((first + rest).last == UInt8(ascii: "\n"))
    }
}
