public import Foundation

/// Reference data inside the package, so that a clone tests itself.
public enum FixtureFolder {
    /// `Tests/Fixtures` of this package.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    /// A folder or file below it.
    public static func path(_ name: String) -> URL { root.appendingPathComponent(name) }
}
