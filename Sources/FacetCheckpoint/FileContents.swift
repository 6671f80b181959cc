package import FacetJSON

/// Whole small files: configurations, indexes, vocabularies.
package enum FileContents {
    /// All bytes of a file.
    ///
    /// - Parameter limit: most bytes that are read; a larger file is an error, so that no mistaken path fills memory.
    /// - Throws: `.missingFile`, `.notARegularFile`, `.unreadable`, `.gitLFSPointer`.
    package static func bytes(of path: String, limit: Int) throws(CheckpointError) -> [UInt8] {
        let file = try MappedFile(path)
        guard file.byteCount <= limit else {
            throw .unreadable(
                file: path, operation: "read", reason: "it has \(file.byteCount) bytes, the limit is \(limit)")
        }
        let bytes = try file.read(0..<file.byteCount)
        if isGitLFSPointer(bytes) { throw .gitLFSPointer(file: path) }
        return bytes
    }

    /// The JSON document in a file, checked strictly.
    ///
    /// - Throws: as `bytes(of:limit:)`, and `.invalidJSON`, `.duplicateKey`.
    package static func json(
        of path: String, limits: JSONValue.Limits = JSONValue.Limits()
    ) throws(CheckpointError) -> JSONValue {
        let bytes = try bytes(of: path, limit: limits.byteCount)
        do {
            return try JSONValue(parsing: bytes, limits: limits)
        } catch {
            throw CheckpointError(file: path, error)
        }
    }

    /// Whether bytes are the start of the text that Git LFS leaves in place of a large file.
    static func isGitLFSPointer(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: "version https://git-lfs".utf8)
    }
}
