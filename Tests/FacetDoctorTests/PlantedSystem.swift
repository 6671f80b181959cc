import FacetDoctor
import FacetTestSupport
import Foundation

/// Trees in a temporary folder that look like `/proc`, `/sys`, `/dev` and `/etc`.
struct PlantedSystem {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["proc", "sys", "dev", "etc"] {
            try FileManager.default.createDirectory(
                at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
        }
    }

    var roots: SystemRoots {
        func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
        return SystemRoots(proc: path("proc"), sys: path("sys"), dev: path("dev"), etc: path("etc"))
    }

    /// Writes a file, such as `proc/meminfo`.
    func plant(_ path: String, _ text: String) throws { _ = try folder.file(path, Data(text.utf8)) }

    /// Makes a link to a place that need not exist.
    func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: folder.url.appendingPathComponent(path).path, withDestinationPath: target)
    }

    /// A path inside.
    func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
}
