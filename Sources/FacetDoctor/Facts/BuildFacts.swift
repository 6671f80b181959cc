/// This executable.
public struct BuildFacts: Sendable, Hashable, Codable {
    /// The program's version.
    public var version: String?
    /// The commit it was built from; nil when nobody said.
    public var commit: String?
    /// Whether it was built without optimization.
    public var isDebug: Bool?
    /// What it can compute on, such as `cpu`.
    public var backends: [String]?
    /// The compiler's version.
    public var compiler: String?
    /// Whether the Swift runtime is inside the executable.
    public var hasStaticRuntime: Bool?

    /// Nothing known yet.
    public init() {}
}
