import Foundation

/// Paths as people type them.
enum FilePath {
    /// The path with a leading `~` replaced by the home folder.
    static func expanded(_ path: String) -> String { NSString(string: path).expandingTildeInPath }
}
