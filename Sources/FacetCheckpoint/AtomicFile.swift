import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file being written under a temporary name beside its place; it takes its place only when it is whole.
///
/// Dropped without `commit`, it leaves nothing behind and the old file, if any, untouched.
package struct AtomicFile: ~Copyable {
    /// The path that the file will have.
    package let path: String

    /// Bytes so far, holes included.
    package private(set) var byteCount = 0

    private let temporaryPath: String
    private let descriptor: Int32
    private var isCommitted = false

    /// Creates the temporary file.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package init(_ path: String) throws(CheckpointError) {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        let temporaryPath = "\(path).partial-\(getpid())-\(number)"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        self.path = path
        self.temporaryPath = temporaryPath
        guard descriptor >= 0 else { throw Self.failure("create", path, errno, byteCount: 0) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if descriptor >= 0 && !isCommitted { unlink(temporaryPath) }
    }

    /// Appends bytes.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var rest = bytes[...]
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = Self.writeSome(descriptor, start, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
                byteCount += count
            } else if errno != EINTR {
                throw Self.failure("write", path, errno, byteCount: byteCount)
            }
        }
    }

    /// Appends the UTF-8 of a text.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func write(_ text: String) throws(CheckpointError) {
        try write(Array(text.utf8))
    }

    /// Appends an array of bytes.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func write(_ bytes: [UInt8]) throws(CheckpointError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
            try write(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Appends zeros that take no room on file systems with sparse files.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func writeHole(_ count: Int) throws(CheckpointError) {
        guard ftruncate(descriptor, byteCount + count) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
            throw Self.failure("extend", path, errno, byteCount: byteCount)
        }
        byteCount += count
    }

    /// Makes sure that every byte is on disk and gives the file its name.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func commit() throws(CheckpointError) {
        guard fsync(descriptor) == 0 else { throw Self.failure("write", path, errno, byteCount: byteCount) }
        guard rename(temporaryPath, path) == 0 else {
            throw Self.failure("rename the finished file to", path, errno, byteCount: byteCount)
        }
        isCommitted = true
    }

    /// The error for a failed system call: a full disk and a used-up quota have a case of their own.
    package static func failure(
        _ operation: String, _ path: String, _ number: Int32, byteCount: Int
    ) -> CheckpointError {
        if number == ENOSPC || number == EDQUOT { return .diskFull(file: path, byteCount: byteCount) }
        return .unwritable(file: path, operation: operation, reason: SystemError.text(number))
    }

    private static let count = Atomic<Int>(0)

    /// The C function, under a name that the methods above do not hide.
    private static func writeSome(_ descriptor: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, start, count)
        #elseif canImport(Musl)
            Musl.write(descriptor, start, count)
        #endif
    }
}
