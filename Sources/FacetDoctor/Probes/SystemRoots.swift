#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where the kernel shows itself; other places than the usual ones are for tests.
public struct SystemRoots: Sendable, Hashable {
    /// Processes and the kernel's tables.
    public var proc: String
    /// Devices and control groups.
    public var sys: String
    /// Device files.
    public var dev: String
    /// Settings of the distribution.
    public var etc: String

    /// The usual places.
    public static let standard = SystemRoots(proc: "/proc", sys: "/sys", dev: "/dev", etc: "/etc")

    /// Names the places.
    public init(proc: String, sys: String, dev: String, etc: String) {
        self.proc = proc
        self.sys = sys
        self.dev = dev
        self.etc = etc
    }
}

/// Small files and folders of the kernel, where everything may be missing.
enum SystemFile {
    /// The first bytes of a file as text, without blanks at its end; nil when it cannot be read.
    ///
    /// Never waits for a device: the kernel's log, for one, would have it wait for the next line.
    static func text(_ path: String, limit: Int = 1 << 16) -> String? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = bytes.withUnsafeMutableBytes { raw in
                read(descriptor, UnsafeMutableRawBufferPointer(rebasing: raw[filled...]).baseAddress, limit - filled)
            }
            if count < 0 && errno == EINTR { continue }
            // A record of the kernel's log that was overwritten while it was read; the next one is there.
            if count < 0 && errno == EPIPE { continue }
            guard count > 0 else { break }
            filled += count
        }
        while filled > 0, bytes[filled - 1] == 0x0A || bytes[filled - 1] == 0x20 || bytes[filled - 1] == 0 {
            filled -= 1
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }

    /// A file that holds one whole number.
    static func integer(_ path: String) -> Int? { text(path, limit: 64).flatMap { Int($0) } }

    /// The names in a folder, sorted; nil when it cannot be read.
    static func names(_ path: String) -> [String]? {
        guard let stream = opendir(path) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            // `d_name` is declared with its full length, but the record may be shorter: no copy of the field.
            let place = UnsafeRawPointer(item) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
            let name = String(cString: place.assumingMemoryBound(to: CChar.self))
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether there is anything at a path.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The last component of what a link points to; nil when there is no link.
    static func linkTarget(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { raw in
            raw.withMemoryRebound(to: CChar.self) { characters in
                characters.baseAddress.map { readlink(path, $0, characters.count) } ?? -1
            }
        }
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "/").last.map(String.init)
    }

    /// The path without links; nil when nothing is there.
    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

/// Tables of the kernel as lines of a name and a value.
enum SystemTable {
    /// The value behind `name:` or `name =`, without blanks around it.
    static func value(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n") {
            guard let separator = line.firstIndex(where: { $0 == ":" || $0 == "=" }) else { continue }
            guard trimmed(line[..<separator]) == name else { continue }
            return trimmed(line[line.index(after: separator)...])
        }
        return nil
    }

    /// A value such as `12345 kB`, in bytes.
    static func bytes(_ name: String, in text: String) -> Int? {
        guard let value = value(name, in: text), let number = value.split(separator: " ").first else { return nil }
        return Int(number).map { $0 << 10 }
    }

    /// Without blanks at both ends.
    static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// The numbers of a list such as `0-3,8`; what cannot be read is left out.
    static func numbers(_ list: String) -> Set<Int> {
        var result: Set<Int> = []
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int(trimmed($0)) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1] else { continue }
            // No machine has more processors; a list of nonsense must not fill the memory.
            if first >= 0, first <= last, last < 1 << 16 { result.formUnion(first...last) }
        }
        return result
    }
}
