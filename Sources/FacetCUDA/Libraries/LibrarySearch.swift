#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where NVIDIA's libraries are looked for, in order: the setting, the loader's own path, toolkits, Python packages.
public struct LibrarySearch: Sendable {
    /// The environment variables that matter.
    public let environment: [String: String]

    /// The folder in which toolkits are installed, as `cuda` and `cuda-13.0`.
    public let toolkitParent: String

    /// The folder that holds the system's own Python packages.
    public let systemPrefix: String

    /// Whether the loader's own path is searched, which other files than those under the folders above are found by.
    public let asksLoader: Bool

    /// Describes a search.
    ///
    /// - Parameters:
    ///   - environment: variables of the process, as far as they matter.
    ///   - asksLoader: false for a search that finds nothing but what the folders hold.
    public init(
        environment: [String: String] = LibrarySearch.processEnvironment(), toolkitParent: String = "/usr/local",
        systemPrefix: String = "/usr", asksLoader: Bool = true
    ) {
        self.environment = environment
        self.toolkitParent = toolkitParent
        self.systemPrefix = systemPrefix
        self.asksLoader = asksLoader
    }

    /// The variables of this process that a search looks at.
    public static func processEnvironment() -> [String: String] {
        let names = NVIDIALibrary.allCases.map(\.setting) + ["VIRTUAL_ENV", "CONDA_PREFIX", "HOME"]
        var found: [String: String] = [:]
        for name in names {
            if let value = getenv(name) { found[name] = String(cString: value) }
        }
        return found
    }

    /// The file that the library's setting names, if it is set.
    public func explicitPath(_ library: NVIDIALibrary) -> String? {
        environment[library.setting].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What will be opened until something opens: the one file of the setting, or names and then files.
    ///
    /// - Parameter cudaMajor: what the driver supports; newer toolkits are left out. Nil when that is not known.
    public func candidates(_ library: NVIDIALibrary, cudaMajor: Int? = nil) -> [String] {
        if let path = explicitPath(library) { return [path] }
        let versions = library.versions.filter { version in
            guard library.isOfToolkit, let cudaMajor else { return true }
            return version <= cudaMajor
        }
        let names = versions.map { "\(library.stem).\($0)" }
        var files: [String] = []
        if library.isOfToolkit {
            for name in names {
                for folder in folders() { files += Self.matches("\(folder)/\(name)").sorted(by: >) }
            }
        }
        return (asksLoader ? names : []) + files
    }

    /// Patterns of the folders that may hold a toolkit's libraries.
    private func folders() -> [String] {
        var packages: [String] = []
        for prefix in [environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"]] {
            if let prefix { packages.append("\(prefix)/lib/python3*/site-packages") }
        }
        if let home = environment["HOME"] { packages.append("\(home)/.local/lib/python3*/site-packages") }
        packages += [
            "\(systemPrefix)/local/lib/python3*/*-packages", "\(systemPrefix)/lib/python3*/*-packages",
        ]
        return ["\(toolkitParent)/cuda*/lib64"] + packages.map { "\($0)/nvidia/*/lib" }
    }

    /// The files that a pattern of the shell matches.
    static func matches(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
    }
}
