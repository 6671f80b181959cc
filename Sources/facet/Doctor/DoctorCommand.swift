import ArgumentParser
import FacetDemo
import FacetDoctor
import FacetTensor
import FacetTerminal
import Foundation

/// Examines the machine and says what would keep a model from running well on it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine this machine: what is there, what is missing, and what to do about it.",
        discussion: """
            Needs no root, no driver, no card and no model, and changes nothing. Exit status 0 when nothing is worse \
            than a note, 1 with a warning, 2 with a failure, 3 when a file cannot be read or written.
            """
    )

    @Option(help: ArgumentHelp("Examine this checkpoint folder, too, and whether it fits.", valueName: "dir"))
    var model: String?

    @Flag(help: "Print one JSON object, documented in docs/doctor.md.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Write what was found, without names and paths, for a bug report.", valueName: "file"))
    var bundle: String?

    @Option(help: ArgumentHelp("Judge the facts of such a file instead of this machine.", valueName: "file"))
    var facts: String?

    @Option(
        name: .customLong("time-limit"),
        help: ArgumentHelp(
            "Seconds that each probe may take; 30 to read, 180 to compute and 600 to start cards without it.",
            valueName: "s"))
    var timeLimit: Double?

    func run() async throws {
        do {
            try await judge()
        } catch let status as ExitCode {
            throw status
        } catch {
            // The other commands' 1 would look like a warning.
            Terminal.error.write("facet: \("\(error)".split(separator: "\n").joined(separator: " "))\n")
            throw ExitCode(3)
        }
    }

    private func judge() async throws {
        let facts = if let facts { try judgedFacts(facts) } else { try await examine() }
        let report = DoctorReport(facts)
        if json {
            try JSONOutput.print(report)
        } else {
            let isTerminal = Terminal.output.isInteractive
            let isColored = isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
            try StandardOutput.write(
                report.text(width: isTerminal ? Terminal.output.columnCount : 100, isColored: isColored))
        }
        if let bundle { try write(facts, to: bundle) }
        if report.verdict.exitStatus != 0 { throw ExitCode(report.verdict.exitStatus) }
    }

    private func examine() async throws -> Facts {
        var doctor = Doctor(version: facetVersion, backends: Backends.names)
        doctor.modelFolder = model.map(FilePath.expanded)
        doctor.environment = ProcessInfo.processInfo.environment
        let set = doctor.environment["FACET_ISA"].flatMap(InstructionSet.init) ?? .best
        doctor.devices = [Doctor.Device(label: "cpu \(set.rawValue)") { try Backends.cpu(threads: nil) }]
        doctor.pictureModel = DemoModel.files
        doctor.gpuProbe = Backends.gpuProbe
        if let timeLimit {
            guard timeLimit > 0, timeLimit <= 86_400 else {
                throw CommandError.invalidOption(
                    name: "--time-limit", expected: "more than 0 and at most 86400 seconds", got: "\(timeLimit)")
            }
            let limit = Duration.seconds(timeLimit)
            doctor.limits = Doctor.Limits(reading: limit, computing: limit, starting: limit)
        }
        let progress = ProgressLine()
        defer { progress.clear() }
        return await doctor.facts { progress.show("Examining: \($0) …") }
    }

    private func judgedFacts(_ path: String) throws -> Facts {
        guard model == nil else {
            throw CommandError.invalidOption(name: "--model", expected: "left out beside --facts", got: "there")
        }
        return try FactsFile.facts(parsing: InputFile.bytes(path), input: path)
    }

    private func write(_ facts: Facts, to path: String) throws {
        let bundle = try Bundle(facts, redaction(facts))
        try OutputFile.write(try bundle.text, to: path, option: "--bundle")
        Terminal.error.write(
            "facet: wrote \(path): \(try bundle.summary). It holds no paths, names of users, hosts or other programs, no "
                + "tokens and no prompts; look at it before you send it.\n")
    }

    /// The machine's name for itself; asks no name server, as `ProcessInfo` would.
    private static var hostName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Everything that this process knows to be a person's or the machine's name.
    private func redaction(_ facts: Facts) -> Redaction {
        let environment = ProcessInfo.processInfo.environment
        var folders = [(NSHomeDirectory(), "HOME"), (FileManager.default.currentDirectoryPath, "FOLDER")]
        if let model {
            let path = FilePath.expanded(model)
            folders.append((path, "MODEL"))
            // Its links are followed only when the folder's disk answered: a dead one would hang the command here.
            if facts.model != nil {
                folders.append((URL(fileURLWithPath: path).resolvingSymlinksInPath().path, "MODEL"))
            }
        }
        let users = [NSUserName(), environment["USER"], environment["LOGNAME"], environment["SUDO_USER"]]
        let host = Self.hostName
        let hosts = [host, host.split(separator: ".").first.map(String.init), environment["HOSTNAME"]]
        return Redaction(
            folders: folders,
            names: users.compactMap { $0.map { ($0, "USER") } } + hosts.compactMap { $0.map { ($0, "HOST") } })
    }
}
