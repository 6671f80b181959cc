import CBuild

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tries to open a shared library, and tells its version by its file's name.
public struct LibraryProbe: Sendable {
    private let name: String

    /// Names the library, such as `libcuda.so.1`.
    public init(_ name: String) { self.name = name }

    /// Opens the library; nothing of it is called, and it stays open, as drivers' libraries must.
    public func facts() -> LibraryFacts {
        guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
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
