import CCPU

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the processor is, for reports.
public struct CPUFeatures: Sendable {
    /// Name that the processor gives itself; "unknown processor" where the system does not tell.
    public let modelName: String

    /// Processors that this process may run on.
    public let processorCount: Int

    /// The widest instruction set that the kernels can use here.
    public let instructionSet: InstructionSet

    /// Looks at the machine.
    public init() {
        modelName = Self.readModelName() ?? "unknown processor"
        processorCount = Self.availableProcessorCount
        instructionSet = .best
    }

    /// Processors that this process may run on; the affinity mask counts, not the machine.
    public static var availableProcessorCount: Int { Int(cc_available_processors()) }

    /// The first `model name` of `/proc/cpuinfo`.
    private static func readModelName() -> String? {
        guard let file = fopen("/proc/cpuinfo", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
            let name = text[text.index(after: colon)...].drop { $0 == " " }
            return String(name.prefix { $0 != "\n" })
        }
        return nil
    }
}

extension CPUFeatures: CustomStringConvertible {
    public var description: String { "\(modelName), \(processorCount) threads, \(instructionSet.rawValue)" }
}
