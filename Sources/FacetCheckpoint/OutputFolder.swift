#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder being written under a temporary name beside its place; it takes its place only when it is whole.
///
/// Dropped without `commit`, it leaves nothing behind.
package struct OutputFolder: ~Copyable {
    /// The path that the folder will have.
    package let path: String

    private let temporaryPath: String
    private var isCommitted = false

    /// Creates the temporary folder.
    ///
    /// - Throws: `.folderNotEmpty` when something is in the place already, `.unwritable`, `.diskFull`.
    package init(_ path: String) throws(CheckpointError) {
        let place = Self.withoutSlashes(path)
        try Self.checkIsFree(place)
        let temporaryPath = "\(place).partial-\(getpid())"
        try Self.create(temporaryPath, for: place)
        self.path = place
        self.temporaryPath = temporaryPath
    }

    deinit {
        if !isCommitted { Self.remove(temporaryPath) }
    }

    private static func withoutSlashes(_ path: String) -> String {
        var place = path
        while place.count > 1 && place.hasSuffix("/") { place.removeLast() }
        return place
    }

    private static func checkIsFree(_ place: String) throws(CheckpointError) {
        var status = stat()
        guard stat(place, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR, try FolderListing.names(in: place).isEmpty else {
            throw .folderNotEmpty(path: place)
        }
    }

    private static func create(_ folder: String, for place: String) throws(CheckpointError) {
        guard mkdir(folder, 0o777) == 0 else { throw AtomicFile.failure("create", place, errno, byteCount: 0) }
    }

    /// Where a file of this name is written until `commit`.
    package func path(of name: String) -> String { FolderListing.path(temporaryPath, name) }

    /// Copies a file of another folder.
    ///
    /// - Throws: what reading and writing throw.
    package func copy(_ name: String, from folder: String) throws(CheckpointError) {
        let source = try MappedFile(FolderListing.path(folder, name))
        var file = try AtomicFile(path(of: name))
        for start in stride(from: 0, to: source.byteCount, by: Self.blockByteCount) {
            try file.write(try source.read(start..<min(source.byteCount, start + Self.blockByteCount)))
        }
        try file.commit()
    }

    /// Gives the folder its name.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func commit() throws(CheckpointError) {
        guard rename(temporaryPath, path) == 0 else {
            throw AtomicFile.failure("rename the finished folder to", path, errno, byteCount: 0)
        }
        isCommitted = true
    }

    private static let blockByteCount = 4 << 20

    /// Removes a folder of files; what cannot be removed stays, under a name that is no model's.
    private static func remove(_ folder: String) {
        for name in (try? FolderListing.names(in: folder)) ?? [] { unlink(FolderListing.path(folder, name)) }
        rmdir(folder)
    }
}

extension Checkpoint {
    /// The regular files in a folder that hold no weights and say nothing of where weights are, sorted.
    ///
    /// - Throws: as opening the folder does.
    package static func otherFiles(in folder: String) throws(CheckpointError) -> [String] {
        try FolderListing.names(in: folder).filter { name in
            var status = stat()
            guard stat(FolderListing.path(folder, name), &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                return false
            }
            return !name.hasSuffix(".safetensors") && name != CheckpointIndex.fileName
        }
    }
}
