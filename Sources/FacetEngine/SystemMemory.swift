#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How much memory this process may take.
package enum SystemMemory {
    /// Bytes that can be taken without swapping: what the kernel calls available, within the container's limit.
    ///
    /// Reads `/proc/meminfo` and the memory limits of control groups; nil where neither can be read.
    package static func availableByteCount() -> Int? {
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap { path in
            text(of: path).flatMap { Int($0.prefix { $0.isNumber }) }
        }
        return ([text(of: "/proc/meminfo").flatMap(available(inMeminfo:))] + limits).compactMap { $0 }.min()
    }

    /// The line `MemAvailable:   12345 kB`, in bytes.
    package static func available(inMeminfo text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            return Int(line.filter(\.isNumber)).map { $0 << 10 }
        }
        return nil
    }

    private static func text(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
