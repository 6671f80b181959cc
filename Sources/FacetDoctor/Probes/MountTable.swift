/// Which file system a path is on, from the kernel's table of mounts.
struct MountTable {
    private let mounts: [(point: String, kind: String)]

    /// Reads the form of `/proc/self/mountinfo`: later lines hide earlier ones at the same place.
    init(_ table: String) {
        mounts = table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { return nil }
            return (Self.unescaped(fields[4]), String(fields[dash + 1]))
        }
    }

    /// The kind of file system, such as `ext4`; nil when no line covers the path.
    func kind(of path: String) -> String? {
        mounts.last { $0.point == longestPoint(above: path) }?.kind
    }

    private func longestPoint(above path: String) -> String? {
        mounts.map(\.point).filter { point in
            point == "/" || path == point || path.hasPrefix(point + "/")
        }.max { $0.utf8.count < $1.utf8.count }
    }

    /// Blanks and backslashes are written as three octal digits.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
