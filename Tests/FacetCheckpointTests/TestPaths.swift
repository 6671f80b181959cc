import FacetTestSupport
import Foundation

/// Where fixtures are.
enum TestPaths {
    /// A fixture's path inside the package.
    static func fixture(_ name: String) -> String { FixtureFolder.path(name).path }
}

extension TemporaryFolder {
    /// The folder's path.
    var path: String { url.path }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String { try file(name, Data(bytes)).path }

    /// Writes a text file and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }
}
