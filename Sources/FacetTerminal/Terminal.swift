#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What is known of the terminal behind a file descriptor, and raw writing to it.
public struct Terminal: Sendable {
    /// Standard input.
    public static let input = Terminal(fileDescriptor: 0)
    /// Standard output.
    public static let output = Terminal(fileDescriptor: 1)
    /// Standard error.
    public static let error = Terminal(fileDescriptor: 2)

    /// The descriptor.
    public let fileDescriptor: CInt

    /// Names a descriptor.
    public init(fileDescriptor: CInt) { self.fileDescriptor = fileDescriptor }

    /// Whether a person sits there: a terminal that is not marked as unable to move its cursor.
    public var isInteractive: Bool {
        guard isatty(fileDescriptor) == 1 else { return false }
        guard let name = getenv("TERM") else { return true }
        return strcmp(name, "dumb") != 0
    }

    /// Width in cells; 80 when it is unknown.
    public var columnCount: Int {
        var size = winsize()
        guard ioctl(fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes all bytes of a text at once, unbuffered.
    ///
    /// - Returns: false when the reader is gone or the device is full.
    @discardableResult
    public func write(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = systemWrite(fileDescriptor, rest.baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = UnsafeBufferPointer(rebasing: rest[count...])
            }
            return true
        }
    }
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
