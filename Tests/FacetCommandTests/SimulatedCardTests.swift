import FacetTestSupport
import Foundation
import Testing

/// `--devices` with cards as a person uses it, on a simulated driver that runs the kernels on this processor.
@Suite(.serialized) struct SimulatedCardTests {
    /// Two cards of 600 MiB, some of which the planner keeps free, with direct access to each other.
    private static let machine = """
        { "name": "two cards", "devices": [{ "count": 2, "name": "Test card", "compute_capability": "9.0",
          "multiprocessors": 4, "memory_mib": 600, "context_mib": 1 }], "every_link": { "peer": "ok" } }
        """

    private let tiny = FixtureFolder.path("glm4v-tiny").path
    private let folder: TemporaryFolder
    private let environment: [String: String]

    init() throws {
        let library = CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libCUDASim.so").path
        folder = try TemporaryFolder()
        let machine = try folder.file("machine.json", Data(Self.machine.utf8)).path
        let settings = ["FACET_CUDA_DRIVER", "FACET_NVRTC", "FACET_CUBLASLT", "FACET_NVML"].map { ($0, library) }
        environment = Dictionary(uniqueKeysWithValues: settings).merging([
            "FACET_CUDASIM": machine, "XDG_CACHE_HOME": folder.url.path, "CUDA_VISIBLE_DEVICES": "0,1",
        ]) { $1 }
    }

    /// A question to the tiny checkpoint.
    private func ask(_ options: [String], _ settings: [String: String] = [:]) throws -> CommandRun {
        try CommandRun(
            [
                "run", "--model", tiny, "--dtype", "float32", "--temperature", "0", "--max-tokens", "3", "--context",
                "64", "hi",
            ] + options, environment: environment.merging(settings) { $1 }, limit: 3600)
    }

    private struct Report {
        let ids: [Int]
        let cards: [[String: Any]]
        let placement: [String: String]
        let errorOutput: String
    }

    private func report(_ options: [String]) throws -> Report {
        let run = try ask(options + ["--json"])
        #expect(run.status == 0, "\(run.errorOutput)")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        return Report(
            ids: try #require(object["token_ids"] as? [Int]), cards: object["cards"] as? [[String: Any]] ?? [],
            placement: try #require(object["placement"] as? [String: String]), errorOutput: run.errorOutput)
    }

    @Test("cards, parts of one and mixes give the processor's tokens, and say how they compute")
    func answers() throws {
        let expected = try report(["--devices", "cpu"])
        #expect(expected.cards.isEmpty)
        let two = try report(["--devices", "cuda"])
        #expect(two.ids == expected.ids && two.cards.count == 2)
        for (index, card) in two.cards.enumerated() {
            #expect(card["device"] as? String == "cuda:\(index)" && card["is_part"] as? Bool == false)
            #expect((card["name"] as? String)?.contains("(simulated)") == true)
            #expect((card["products"] as? String)?.hasPrefix("cuBLASLt") == true)
            #expect((card["kernels"] as? String)?.contains("NVRTC") == true || index == 1)
            let links = try #require(card["links"] as? [[String: Any]])
            #expect(links.count == 1 && links[0]["route"] as? String == "direct")
            #expect(two.errorOutput.contains("facet: cuda:\(index) is Test card"))
        }
        let parts = try report(["--devices", "cuda:1=64MiB,cuda:1=64MiB"])
        #expect(parts.ids == expected.ids && parts.cards.map { $0["is_part"] as? Bool } == [true, true])
        #expect(parts.errorOutput.contains("a part of Test card") && parts.errorOutput.contains("from the cache"))
        let mixed = try report(["--devices", "cuda:1,cpu"])
        #expect(mixed.ids == expected.ids && mixed.cards.count == 1)
        #expect(mixed.cards[0]["device"] as? String == "cuda:1" && mixed.cards[0]["card"] as? Int == 1)
        // The processor takes as little as it must.
        #expect(mixed.placement.values.count { $0 == "1" } == 1, "\(mixed.placement)")
    }

    @Test("without a list it is the fewest cards that hold the model")
    func automatic() throws {
        let automatic = try report([])
        #expect(automatic.cards.count == 1)
        #expect(automatic.errorOutput.contains("the fewest cards that hold the model, of 2 visible"))
    }

    @Test("a list of visible cards that hides them all by mistake is told of, and the processor computes")
    func hidden() throws {
        let run = try ask([], ["CUDA_VISIBLE_DEVICES": "7"])
        #expect(run.status == 0 && run.errorOutput.contains("entry 1 '7' is invalid"), "\(run.errorOutput)")
        let asked = try ask(["--devices", "cuda"], ["CUDA_VISIBLE_DEVICES": "7"])
        #expect(asked.status == 1 && asked.errorOutput.contains("entry 1 '7' is invalid"))
    }

    @Test("a card that is lost in the middle of an answer ends the command with the reason")
    func lost() throws {
        let run = try ask(["--devices", "cuda:0"], ["FACET_CUDASIM_FAULTS": "0:run:kernel:60:700"])
        #expect(run.status == 1, "\(run.output)\(run.errorOutput)")
        #expect(run.errorOutput.contains("cuda:0") && run.errorOutput.contains("CUDA_ERROR_ILLEGAL_ADDRESS"))
        let chat = try CommandRun(
            ["chat", "--model", tiny, "--devices", "cuda:0", "--context", "64", "--max-tokens", "3"],
            input: Data("hi\n/reset\nhi\n".utf8),
            environment: environment.merging(["FACET_CUDASIM_FAULTS": "0:run:kernel:60:700"]) { $1 }, limit: 3600)
        let losses = chat.errorLines.count { $0.contains("CUDA_ERROR_ILLEGAL_ADDRESS") }
        #expect(chat.status == 1 && losses == 1, "\(chat.errorOutput)")
    }

    @Test("cards are measured once where it is asked for, and copies go through the host where they are told to")
    func speeds() throws {
        let settings = ["FACET_SPEEDS": "measured", "FACET_DIRECT_COPIES": "off"]
        let file = folder.url.appendingPathComponent("facet/speeds.json")
        #expect(!FileManager.default.fileExists(atPath: file.path))
        let first = try ask(["--devices", "cuda"], settings)
        #expect(first.status == 0, "\(first.errorOutput)")
        #expect(first.errorOutput.contains("through host memory (direct access is switched off)"))
        let measured = try Data(contentsOf: file)
        let object = try #require(try JSONSerialization.jsonObject(with: measured) as? [String: [String: Any]])
        #expect(object["cards"]?.count == 1 && object["links"]?.count == 2, "two cards of a model, two directions")
        // What was measured is not measured again, and a file that is no record of speeds is made anew.
        #expect(try ask(["--devices", "cuda"], settings).status == 0)
        #expect(try Data(contentsOf: file) == measured)
        try Data("{".utf8).write(to: file)
        #expect(try ask(["--devices", "cuda"], settings).status == 0)
        #expect(try Data(contentsOf: file).count > 100)
    }

    @Test("a card says what it does with fp8 weights, and only where there are some")
    func float8() throws {
        func line(_ dtype: String, _ settings: [String: String] = [:]) throws -> String {
            let run = try CommandRun(
                [
                    "run", "--model", tiny, "--devices", "cuda:0", "--dtype", dtype, "--temperature", "0",
                    "--max-tokens", "2", "--context", "64", "What is in this picture, please? And why is it there?",
                ], environment: environment.merging(settings) { $1 }, limit: 3600)
            #expect(run.status == 0, "\(run.errorOutput)")
            return String(try #require(run.errorLines.first { $0.contains("cuda:0 is Test card") }))
        }
        #expect(try line("fp8").contains("bfloat16 on tensor cores; fp8 arithmetic by cuBLASLt; products by"))
        #expect(
            try line("fp8", ["FACET_FP8_ARITHMETIC": "off"]).contains(
                "fp8 as storage (FACET_FP8_ARITHMETIC is off)"))
        #expect(try !line("int8").contains("fp8"))
    }

    @Test("a plan without a machine is for the cards there are")
    func plan() throws {
        let run = try CommandRun(["plan", "--model", tiny], environment: environment)
        #expect(run.status == 0 && run.output.contains("cuda:1"), "\(run.output)\(run.errorOutput)")
        #expect(run.output.contains("Test card (simulated)"))
    }

    @Test("verify and bench run on cards")
    func others() throws {
        let verify = try CommandRun(
            ["verify", "--dtype", "float32", "--devices", "cuda", tiny], environment: environment, limit: 3600)
        #expect(verify.status == 0 && verify.errorOutput.contains("cuda:1 is Test card"), "\(verify.errorOutput)")
        let bench = try CommandRun(
            [
                "bench", "model", "--model", tiny, "--dtype", "float32", "--devices", "cuda:0", "--no-image",
                "--prompt-tokens", "4", "--new-tokens", "2", "--repeats", "1",
            ], environment: environment, limit: 3600)
        #expect(bench.status == 0 && bench.output.contains("cuda:0 is Test card"), "\(bench.errorOutput)")
    }
}
