import ArgumentParser
import FacetTerminal
import Foundation

/// The command tree, and how every command fails: one line on standard error.
@main
struct Facet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "facet",
        abstract: "Ask GLM-4V about a picture.",
        discussion: """
            Without --model the commands use a small demo model that is inside the executable: it knows colored \
            shapes, short words and handwritten digits. With --model they use a glm-4v-9b folder as published.
            """,
        version: "facet \(facetVersion)",
        subcommands: [
            RunCommand.self, ChatCommand.self, InspectCommand.self, TokenizeCommand.self, VerifyCommand.self,
            PlanCommand.self, DoctorCommand.self, QuantizeCommand.self, BenchCommand.self,
        ]
    )

    static func main() async {
        do {
            try UTF8Check.checkArguments()
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            fail(with: error)
        }
    }

    /// Prints an error and ends the process: 0 for help, 64 for a wrong command line, 1 for everything else.
    private static func fail(with error: any Error) -> Never {
        let code = exitCode(for: error)
        if code == .success || error is ExitCode { exit(withError: error) }
        let isUsage = code == .validationFailure
        let hint = isUsage ? " See 'facet --help' and 'facet help COMMAND'." : ""
        let message = message(for: error).split(separator: "\n").joined(separator: " ")
        Terminal.error.write("facet: \(message)\(hint)\n")
        exit(withError: isUsage ? code : ExitCode.failure)
    }
}

/// The version of the program, as `facet --version` prints it.
let facetVersion = "0.1.0"
