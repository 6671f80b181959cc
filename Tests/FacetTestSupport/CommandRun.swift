public import Foundation

/// One run of the `facet` executable that the test build made.
public struct CommandRun: Sendable {
    /// Exit status; 128 + n when signal n ended the process.
    public let status: Int32

    /// What it wrote to standard output.
    public let output: String

    /// What it wrote to standard error.
    public let errorOutput: String

    /// Lines of standard error.
    public var errorLines: [Substring] { errorOutput.split(separator: "\n") }

    /// The executable beside the running test bundle.
    public static var executable: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("facet")
    }

    /// Runs `facet` and waits for its end.
    ///
    /// - Parameters:
    ///   - arguments: words after the program's name.
    ///   - input: bytes for standard input, which is closed after them.
    ///   - environment: variables added to this process's own.
    ///   - limit: the process is killed after so many seconds.
    /// - Throws: when the executable cannot be started.
    public init(
        _ arguments: [String], input: Data = Data(), environment: [String: String] = [:], limit: Double = 300
    ) throws {
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let folder = try TemporaryFolder()
        let outputFile = try folder.emptyFile("stdout")
        let errorFile = try folder.emptyFile("stderr")
        let inputFile = try folder.file("stdin", input)
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        let timer = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: timer)
        process.waitUntilExit()
        timer.cancel()
        status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        output = String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
        errorOutput = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
    }
}
