import Foundation

/// The largest resident memory this process has had, mapped weights included.
enum PeakMemory {
    /// Bytes; nil where the system does not tell.
    ///
    /// Read from `VmHWM` rather than `getrusage`, whose figure survives `exec` and may be the parent's.
    static var byteCount: Int? { statusField("VmHWM:") }

    private static func statusField(_ name: String) -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        return nil
    }
}
