import FacetCUDA
import FacetTestSupport
import Foundation
import Testing

@Suite("The engine's kernels")
struct EngineKernelsTests {
    private static let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first(
        where: FileManager.default.isExecutableFile(atPath:))

    @Test(
        "the tool that compiles them beforehand names their folder as the program that looks for it does",
        .enabled(if: python != nil, "python3 is not installed"))
    func key() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        process.arguments = [root.appendingPathComponent("Tools/cuda/kernelc.py").path, "--key"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text == EngineKernels.sources.key + "\n")
    }
}
