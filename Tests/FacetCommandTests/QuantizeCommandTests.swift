import FacetTestSupport
import Foundation
import Testing

@Suite("facet quantize")
struct QuantizeCommandTests {
    private let model = FixtureFolder.path("glm4v-tiny").path

    @Test("writes a folder that inspect, plan and quantize know as quantized")
    func writes() throws {
        let folder = try TemporaryFolder()
        let output = folder.url.appendingPathComponent("small").path
        let run = try CommandRun([
            "quantize", "--model", model, "--to", "int4", "--vision", "int8", "--output-layer", "fp8", "--out", output,
        ])
        #expect(run.status == 0, "\(run.errorOutput)")
        #expect(run.output.contains("vision layers") && run.output.contains(" %"))
        let inspection = try CommandRun(["inspect", output])
        #expect(inspection.status == 0, "\(inspection.errorOutput)")
        #expect(inspection.output.contains("I8") && inspection.output.contains("F8_E4M3"))
        let again = try CommandRun(["quantize", "--model", output, "--to", "int8", "--out", output + "2"])
        #expect(again.status == 1 && again.errorLines.count == 1)
        #expect(again.errorOutput.contains("quantized already"))
    }

    @Test("answers with quantized weights, from the option")
    func runs() throws {
        for dtype in ["int8", "fp8", "int4", "vision=int8,decoder=int4,output=int8"] {
            let run = try CommandRun(["run", "--dtype", dtype, "What is this?"])
            #expect(run.status == 0 && !run.output.isEmpty, "\(dtype): \(run.errorOutput)")
        }
    }

    @Test(
        "wrong options are one line",
        arguments: [
            (["--to", "int3"], "--to"), (["--to", "int4", "--group", "7"], "--group"),
            (["--vision", "float32"], "--vision"),
            ([], "--to"),
        ])
    func refuses(options: [String], mentioned: String) throws {
        let folder = try TemporaryFolder()
        let run = try CommandRun(
            ["quantize", "--model", model, "--out", folder.url.path + "/out"] + options)
        #expect(run.status != 0 && run.errorLines.count == 1 && run.errorOutput.contains(mentioned))
        #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/out"))
    }

    @Test("a folder that is not empty, a missing model and an unknown type of weights are one line")
    func refusesPlaces() throws {
        let folder = try TemporaryFolder()
        _ = try folder.emptyFile("file")
        let taken = try CommandRun(["quantize", "--model", model, "--to", "int8", "--out", folder.url.path])
        #expect(taken.status == 1 && taken.errorLines.count == 1 && taken.errorOutput.contains("another place"))
        let missing = try CommandRun(["quantize", "--model", "/nowhere", "--to", "int8", "--out", "/nowhere/out"])
        #expect(missing.status == 1 && missing.errorLines.count == 1)
        let run = try CommandRun(["run", "--dtype", "int2", "What is this?"])
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errorOutput.contains("--dtype"))
    }
}
