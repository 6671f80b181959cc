#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the kernel is told about a range of mapped bytes.
public enum MemoryAdvice: Sendable, Hashable {
    /// No particular order: the kernel's usual read-ahead.
    case normal
    /// Read soon: start reading now, without waiting.
    case willNeed
    /// Read once, in order: read far ahead.
    case sequential
    /// Read here and there: do not read ahead.
    case random
    /// Not read for a while: take the pages out of this process. They stay in the page cache, so that reading
    /// them again is cheap as long as memory is not scarce.
    case dontNeed
    /// Not read for a long while: as `dontNeed`, and drop the pages from the page cache too.
    case evict
}

/// A regular file, mapped read-only in full; unmapped and closed with its owner.
///
/// A file that another process shortens while it is mapped raises a bus error on access to the lost pages; that
/// cannot be caught here. What decides about validity (headers) is therefore read with `read`, not through the map.
///
/// `@unchecked`: the bytes are never written through this mapping, and descriptor and address never change.
package struct MappedFile: ~Copyable, @unchecked Sendable {
    /// The path that was opened.
    package let path: String

    /// Length in bytes when it was opened.
    package let byteCount: Int

    private let descriptor: Int32
    private let base: UnsafeMutableRawPointer?

    /// Opens and maps a file; reads none of it.
    ///
    /// - Throws: `.missingFile`, `.notARegularFile`, `.unreadable`.
    package init(_ path: String) throws(CheckpointError) {
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw .missingFile(file: path) }
            throw .unreadable(file: path, operation: "open", reason: SystemError.text(errno))
        }
        let mapped: (base: UnsafeMutableRawPointer?, byteCount: Int)
        do throws(CheckpointError) {
            let byteCount = try Self.regularByteCount(descriptor, path)
            mapped = (try Self.map(descriptor, byteCount, path), byteCount)
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        base = mapped.base
        byteCount = mapped.byteCount
    }

    deinit {
        if let base { munmap(base, byteCount) }
        close(descriptor)
    }

    /// All bytes, valid as long as this value lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: byteCount) }

    /// Copies a range of the file's bytes without touching the mapping.
    ///
    /// - Throws: `.unreadable`, or `.truncatedFile` when the file has become shorter.
    package func read(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < range.count {
            let count = result.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, range.count - done, range.lowerBound + done)
            }
            if count > 0 {
                done += count
            } else if count == 0 {
                throw .truncatedFile(file: path, expected: range.upperBound, got: range.lowerBound + done)
            } else if errno != EINTR {
                throw .unreadable(file: path, operation: "read", reason: SystemError.text(errno))
            }
        }
        return result
    }

    /// Lets the kernel read ahead in this file, which is how it starts, or forbids it.
    package func setReadAhead(_ isOn: Bool) {
        posix_fadvise(descriptor, 0, 0, Int32(isOn ? POSIX_FADV_NORMAL : POSIX_FADV_RANDOM))
    }

    /// Tells the kernel how a range of bytes will be used; a hint, so refusals are ignored.
    ///
    /// Hints that load or order reach outwards to whole pages; those that drop pages reach inwards, so that bytes
    /// beside the range keep theirs.
    package func advise(_ advice: MemoryAdvice, _ range: Range<Int>) {
        let range = range.clamped(to: 0..<byteCount)
        guard let base, !range.isEmpty else { return }
        let pages = MemoryPages.rounded(range, inwards: advice == .dontNeed || advice == .evict, limit: byteCount)
        guard !pages.isEmpty else { return }
        let kernelAdvice =
            switch advice {
            case .normal: MADV_NORMAL
            case .willNeed: MADV_WILLNEED
            case .sequential: MADV_SEQUENTIAL
            case .random: MADV_RANDOM
            case .dontNeed, .evict: MADV_DONTNEED
            }
        // Of one call the kernel reads as much as the disk's window of reading ahead, and forgets the rest.
        let step = advice == .willNeed ? Self.readAheadByteCount : pages.count
        for start in stride(from: pages.lowerBound, to: pages.upperBound, by: step) {
            madvise(base + start, min(step, pages.upperBound - start), Int32(kernelAdvice))
        }
        // The page cache lets go only of pages that no process maps: after the line above.
        if advice == .evict { posix_fadvise(descriptor, pages.lowerBound, pages.count, Int32(POSIX_FADV_DONTNEED)) }
    }

    /// Linux's own window, where nobody has set a larger one.
    private static let readAheadByteCount = 128 << 10

    private static func regularByteCount(_ descriptor: Int32, _ path: String) throws(CheckpointError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .unreadable(file: path, operation: "examine", reason: SystemError.text(errno))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(file: path) }
        return Int(status.st_size)
    }

    private static func map(
        _ descriptor: Int32, _ byteCount: Int, _ path: String
    ) throws(CheckpointError) -> UnsafeMutableRawPointer? {
        // The kernel refuses to map nothing.
        guard byteCount > 0 else { return nil }
        let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let base, base != UnsafeMutableRawPointer(bitPattern: -1) else {
            throw .unreadable(file: path, operation: "map", reason: SystemError.text(errno))
        }
        return base
    }
}

/// Rounding of byte ranges to whole memory pages.
package enum MemoryPages {
    /// Bytes of one page of this machine.
    package static let byteCount = sysconf(Int32(_SC_PAGESIZE))

    /// The pages that touch `range` or, inwards, those that lie in it; the page that `limit` cuts counts as whole
    /// when the range reaches `limit`.
    package static func rounded(_ range: Range<Int>, inwards: Bool, limit: Int) -> Range<Int> {
        let page = byteCount
        if !inwards { return range.lowerBound / page * page..<range.upperBound }
        let lower = (range.lowerBound + page - 1) / page * page
        let upper = range.upperBound >= limit ? limit : range.upperBound / page * page
        return lower..<max(lower, upper)
    }
}

/// The C library's words for an error number.
enum SystemError {
    static func text(_ number: Int32) -> String {
        guard let text = strerror(number) else { return "error \(number)" }
        return String(cString: text)
    }
}
