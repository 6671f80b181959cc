import FacetTestSupport
import Foundation
import Testing

/// `--devices` with cards, as far as stand-in libraries of the driver go: two cards with 64 MiB free, no kernels.
@Suite struct CardOptionTests {
    private static var library: String {
        CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libFakeCUDA.so").path
    }

    private func run(_ list: String?, visible: String = "0,1") throws -> CommandRun {
        try CommandRun(
            ["run"] + (list.map { ["--devices", $0] } ?? []) + ["hi"],
            environment: [
                "FACET_CUDA_DRIVER": Self.library, "FACET_NVML": Self.library, "CUDA_VISIBLE_DEVICES": visible,
                "FACET_NVRTC": "/nowhere/libnvrtc.so",
            ])
    }

    @Test(
        "lists that cannot be followed say what was asked, what there is and what to do",
        arguments: [
            ("cuda:7", "cuda:0 (Stand-in 0, GPU-10111213, 0000:41:00.0), cuda:1 (Stand-in 1"),
            ("cuda:7", "CUDA_VISIBLE_DEVICES is '0,1'"), ("GPU-zz", "'gpu-zz' is unknown"),
            ("cuda:0,0", "again"), ("cuda:0=900GiB", "64.00 MiB"), ("cuda:0=900GiB", "900.00 GiB"),
            ("cuda:1=40MiB,cuda:1=40MiB", "80.00 MiB"), ("cuda", "does not fit"),
        ])
    func mistakes(_ list: String, _ part: String) throws {
        let run = try run(list)
        // Without a compiler the stand-ins' speed is not measured, which is told of before the error.
        #expect(run.status == 1 && run.errorLines.dropLast().allSatisfy { $0.contains("is not measured") })
        #expect(run.errorLines.last?.contains(part) == true, "\(run.errorOutput)")
    }

    @Test("cards that are there and too small are not passed over in silence")
    func tooSmall() throws {
        let run = try run(nil)
        let error = try #require(run.errorLines.last, "\(run.errorOutput)")
        #expect(run.status == 1 && error.contains("does not fit") && error.contains("--devices cpu"), "\(error)")
    }

    @Test("a driver that was named and does not open is told of, and the processor computes")
    func wrongDriver() throws {
        let environment = ["FACET_CUDA_DRIVER": "/nowhere/libcuda.so.1"]
        let arguments = ["run", "--temperature", "0", "--max-tokens", "4", "hi"]
        let run = try CommandRun(arguments, environment: environment)
        #expect(run.status == 0 && run.errorOutput.contains("FACET_CUDA_DRIVER"), "\(run.errorOutput)")
        #expect(try CommandRun(arguments + ["--devices", "cpu"], environment: environment).output == run.output)
        let asked = try CommandRun(arguments + ["--devices", "cuda"], environment: environment)
        #expect(asked.status == 1 && asked.errorOutput.contains("/nowhere/libcuda.so.1"), "\(asked.errorOutput)")
    }
}
