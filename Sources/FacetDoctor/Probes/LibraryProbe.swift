import CBuild

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tries to open a shared library, and tells its version by its file's name.
public struct LibraryProbe: Sendable {
    private let name: String
    private let file: String

    /// Names the library, such as `libcuda.so.1`.
    ///
    /// - Parameter setting: the file to open in its place, from a variable of the environment; nil or empty for none.
    public init(_ name: String, setting: String? = nil) {
        self.name = name
        file = setting.flatMap { $0.isEmpty ? nil : $0 } ?? name
    }

    /// Opens the library; nothing of it is called, and it stays open, as drivers' libraries must.
    public func facts() -> LibraryFacts {
        guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) }
            return LibraryFacts(name: name, isLoadable: false, reason: reason)
        }
        return LibraryFacts(name: name, isLoadable: true, version: Self.path(handle).flatMap(version))
    }

    /// `libcuda.so.550.54.14` behind the link `libcuda.so.1`: what follows `.so.`, when it is more than a number.
    private func version(_ path: String) -> String? {
        guard let file = (SystemFile.realPath(path) ?? path).split(separator: "/").last else { return nil }
        let fields = file.split(separator: ".", omittingEmptySubsequences: false)
        guard let so = fields.firstIndex(of: "so") else { return nil }
        let version = fields[(so + 1)...].joined(separator: ".")
        return version.contains(".") ? version : nil
    }

    private static func path(_ handle: UnsafeMutableRawPointer) -> String? {
        cb_library_path(handle).map { String(cString: $0) }
    }
}
