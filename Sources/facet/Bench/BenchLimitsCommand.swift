import ArgumentParser
import FacetTensor
import FacetTerminal
import Foundation

/// What this machine can do at best.
struct BenchLimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Measure this machine's limits: arithmetic from registers, reading of memory.",
        discussion: "Shared machines drift: measure right before and after whatever the limits judge."
    )

    @Option(help: ArgumentHelp("Threads that compute; all processors without it.", valueName: "n"))
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    /// Rates in GFLOP/s and GB/s.
    private struct Report: Encodable {
        let processor: String
        let threads: Int
        let instructionSet: String
        let float32: Double
        let bfloat16: Double?
        let read: Double
    }

    func run() async throws {
        let backend = try Backends.cpu(threads: threads)
        let limits = try MachineLimits.measure(backend)
        let report = Report(
            processor: CPUFeatures().modelName, threads: backend.threadCount,
            instructionSet: backend.instructionSet.rawValue, float32: limits.float32Rate / 1e9,
            bfloat16: limits.bfloat16Rate.map { $0 / 1e9 }, read: limits.readRate / 1e9)
        if json { return try JSONOutput.print(report) }
        var table = TextTable([("limit", .left), ("rate", .right)])
        table.append(["float32 arithmetic", String(format: "%.1f GFLOP/s", report.float32)])
        table.append(["bfloat16 arithmetic", report.bfloat16.map { String(format: "%.1f GFLOP/s", $0) } ?? "none"])
        table.append(["reading of memory", String(format: "%.1f GB/s", report.read)])
        try StandardOutput.write(
            "\(report.processor); \(report.threads) threads, \(report.instructionSet)\n\n\(table.text)")
    }
}
