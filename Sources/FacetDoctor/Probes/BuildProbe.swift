import CBuild

/// Says what this executable is.
public struct BuildProbe: Sendable {
    private let version: String
    private let backends: [String]
    private let roots: SystemRoots

    /// Takes what only the executable itself knows.
    public init(version: String, backends: [String], _ roots: SystemRoots = .standard) {
        self.version = version
        self.backends = backends
        self.roots = roots
    }

    /// The facts.
    public func facts() -> BuildFacts {
        var facts = BuildFacts()
        facts.version = version
        facts.commit = cb_commit().map { String(cString: $0) }
        facts.isDebug = Self.isDebug
        facts.backends = backends
        facts.compiler = Self.compiler
        // A shared runtime is a file of the process's map.
        facts.hasStaticRuntime = SystemFile.text("\(roots.proc)/self/maps", limit: 4 << 20)
            .map { !$0.utf8.contains(text: "libswiftCore.so") }
        return facts
    }

    private static var isDebug: Bool {
        #if DEBUG
            true
        #else
            false
        #endif
    }

    private static var compiler: String {
        #if compiler(>=6.5)
            "Swift 6.5 or later"
        #elseif compiler(>=6.4)
            "Swift 6.4"
        #else
            "Swift 6.3"
        #endif
    }
}

extension String.UTF8View {
    /// Whether a text of ASCII letters occurs.
    fileprivate func contains(text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first else { return true }
        var rest = self[...]
        while let place = rest.firstIndex(of: first) {
            rest = rest[place...]
            if rest.starts(with: wanted) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}
