import Glibc

/// Where a picture comes from; loading gives its bytes, still encoded.
public enum ImageSource: Sendable, Hashable {
    /// A file, or anything that can be opened and read to its end.
    case file(path: String)
    /// Everything that standard input gives.
    case standardInput
    /// A `data:` URL, whole.
    case dataURL(String)
    /// Bytes in memory, with the name that stands for them in errors.
    case bytes([UInt8], name: String)

    /// Reads a command line's or a request's way to name a picture: `-`, a `data:` URL, or a path.
    ///
    /// - Throws: `.remoteURL` for every other address with a scheme: nothing is fetched.
    public init(_ argument: String) throws(ImageError) {
        if argument == "-" {
            self = .standardInput
        } else if argument.prefix(5).lowercased() == "data:" {
            self = .dataURL(argument)
        } else if Self.hasScheme(argument) {
            throw .remoteURL(argument)
        } else {
            self = .file(path: argument)
        }
    }

    /// The picture in the user's words, for messages.
    public var name: String {
        switch self {
        case .file(let path): path
        case .standardInput: "Standard input"
        case .dataURL: "The data: URL"
        case .bytes(_, let name): name
        }
    }

    /// The encoded bytes, never more than the limit.
    ///
    /// The length of a file and of a `data:` URL is checked before anything is read; a pipe is read up to the limit.
    ///
    /// - Throws: `.missingFile`, `.isFolder`, `.unreadable`, `.malformedDataURL`, `.emptyImage`, `.fileTooLarge`.
    public func load(limits: ImageLimits = ImageLimits()) throws(ImageError) -> [UInt8] {
        let bytes =
            switch self {
            case .file(let path): try Self.read(path: path, limit: limits.byteCount)
            case .standardInput: try Self.read(descriptor: STDIN_FILENO, name: name, limit: limits.byteCount)
            case .dataURL(let url): try DataURL(url).decode(limit: limits.byteCount)
            case .bytes(let bytes, _): bytes
            }
        if bytes.count > limits.byteCount {
            throw .fileTooLarge(image: name, byteCount: bytes.count, limit: limits.byteCount)
        }
        if bytes.isEmpty { throw .emptyImage(image: name) }
        return bytes
    }

    /// Loads and decodes.
    ///
    /// - Throws: what `load(limits:)` and `ImageDecoder.decode` throw.
    public func bitmap(limits: ImageLimits = ImageLimits()) throws(ImageError) -> Bitmap {
        try ImageDecoder(limits: limits).decode(load(limits: limits), named: name)
    }

    /// Whether text begins like `scheme://` (RFC 3986, section 3.1).
    private static func hasScheme(_ text: String) -> Bool {
        let scheme = text.utf8.prefix { $0 != UInt8(ascii: ":") }
        let rest = text.utf8.dropFirst(scheme.count)
        guard let first = scheme.first, rest.starts(with: "://".utf8) else { return false }
        let isLetter: (UInt8) -> Bool = { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
        return isLetter(first)
            && scheme.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0) }
    }
}

// MARK: - Reading

extension ImageSource {
    private static func read(path: String, limit: Int) throws(ImageError) -> [UInt8] {
        let descriptor = retryingOnInterrupt { open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { throw .missingFile(path: path) }
            throw .unreadable(image: path, reason: reason(code))
        }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, name: path, limit: limit)
    }

    private static func read(descriptor: Int32, name: String, limit: Int) throws(ImageError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(image: name, reason: reason(errno)) }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFDIR { throw .isFolder(path: name) }
        if kind == S_IFREG, status.st_size > limit {
            throw .fileTooLarge(image: name, byteCount: Int(status.st_size), limit: limit)
        }
        // The length of a regular file is a hint only: it may grow, and standard input may stand inside it.
        return try readToEnd(
            descriptor, name: name, limit: limit, capacity: kind == S_IFREG ? Int(status.st_size) : 0)
    }

    private static func readToEnd(
        _ descriptor: Int32, name: String, limit: Int, capacity: Int
    ) throws(ImageError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(capacity)
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { target in
                retryingOnInterrupt { Glibc.read(descriptor, target.baseAddress, target.count) }
            }
            if count < 0 { throw .unreadable(image: name, reason: reason(errno)) }
            if count == 0 { return bytes }
            if bytes.count + count > limit { throw .fileTooLarge(image: name, byteCount: nil, limit: limit) }
            bytes += chunk[..<count]
        }
    }

    private static func retryingOnInterrupt<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
