public import Foundation

/// A folder for one test's files, removed with the object.
public final class TemporaryFolder: Sendable {
    /// Where it is.
    public let url: URL

    /// Makes an empty folder.
    ///
    /// - Throws: when the system's temporary folder is not writable.
    public init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("facet-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file and returns its place.
    ///
    /// - Throws: when it cannot be written.
    public func file(_ name: String, _ contents: Data) throws -> URL {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try contents.write(to: file)
        return file
    }

    /// Makes an empty file and returns its place.
    ///
    /// - Throws: when it cannot be written.
    public func emptyFile(_ name: String) throws -> URL { try file(name, Data()) }

    /// Copies a folder in and returns its place.
    ///
    /// - Throws: when it cannot be copied.
    public func copy(of folder: URL, as name: String) throws -> URL {
        let target = url.appendingPathComponent(name)
        try FileManager.default.copyItem(at: folder, to: target)
        return target
    }
}
