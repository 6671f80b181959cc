/// A source of kernels, as the program carries it.
public struct KernelSource: Sendable, Hashable {
    /// Its file's name: `norm.cu`.
    public let name: String

    /// Its text.
    public let text: String

    /// Names a source.
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// The name without its ending.
    var stem: String { String(name.prefix { $0 != "." }) }
}

/// Everything that decides what the compiler makes: sources, what they include, options.
public struct KernelSources: Sendable {
    /// What is compiled, each by itself.
    public let sources: [KernelSource]

    /// What sources include.
    public let headers: [KernelSource]

    /// Options of the compiler, without the architecture.
    public let options: [String]

    /// Collects sources.
    public init(_ sources: [KernelSource], headers: [KernelSource] = [], options: [String] = []) {
        self.sources = sources
        self.headers = headers
        self.options = options
    }

    /// A name for one source and all that it depends on: the first 16 digits of the SHA-256 of
    /// `name NUL text NUL` for the source and for each header, `option NUL` for each option, and `extra`.
    func key(of source: KernelSource, _ extra: String = "") -> String { Self.key([source] + headers, options, extra) }

    /// A name for all sources together: the folder of those that were compiled beforehand.
    public var key: String { Self.key(sources + headers, options, "") }

    private static func key(_ files: [KernelSource], _ options: [String], _ extra: String) -> String {
        var bytes: [UInt8] = []
        for text in files.flatMap({ [$0.name, $0.text] }) + options {
            bytes += Array(text.utf8)
            bytes.append(0)
        }
        return String(SHA256.text(of: bytes + Array(extra.utf8)).prefix(16))
    }
}
