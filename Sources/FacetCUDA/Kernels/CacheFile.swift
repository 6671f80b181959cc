#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file of the cache: bytes, and behind them their SHA-256.
enum CacheFile {
    private static let digestByteCount = 32

    /// The bytes; nil when there is no file, or it is not what was written.
    static func load(_ path: String) -> [UInt8]? {
        guard let bytes = contents(path), bytes.count > digestByteCount else { return nil }
        let body = bytes.dropLast(digestByteCount)
        return SHA256.digest(of: body) == Array(bytes.suffix(digestByteCount)) ? Array(body) : nil
    }

    /// Writes under another name, and renames when everything is on disk.
    ///
    /// - Throws: `.unwritable`.
    static func store(_ bytes: [UInt8], to path: String) throws(CUDAError) {
        try makeFolders(above: path)
        let temporary = "\(path).partial-\(getpid())"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path) }
        var isWhole = writeAll(descriptor, bytes + SHA256.digest(of: bytes)) && fsync(descriptor) == 0
        let error = isWhole ? nil : failure(path)
        isWhole = close(descriptor) == 0 && isWhole
        guard isWhole, rename(temporary, path) == 0 else {
            let failure = error ?? failure(path)
            unlink(temporary)
            throw failure
        }
    }

    /// Everything that a file holds; nil when it cannot be read.
    static func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress.map { $0 + offset }, $0.count - offset)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    private static func makeFolders(above path: String) throws(CUDAError) {
        var end = path.startIndex
        while let slash = path[path.index(after: end)...].firstIndex(of: "/") {
            end = slash
            guard mkdir(String(path[..<slash]), 0o755) == 0 || errno == EEXIST else { throw failure(path) }
        }
    }

    private static func failure(_ path: String) -> CUDAError {
        .unwritable(file: path, reason: String(cString: strerror(errno)))
    }
}
