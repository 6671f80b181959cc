import CCUDA

/// A library that has been opened; it stays open as long as the program runs.
///
/// `@unchecked`: the handle never changes, and the loader may be asked from any thread.
struct OpenLibrary: @unchecked Sendable {
    let library: NVIDIALibrary

    /// The file that was opened, as the loader found it.
    let path: String

    let handle: UnsafeMutableRawPointer

    /// Opens the first candidate that opens.
    ///
    /// - Throws: `.libraryMissing` with every candidate, and the reason that says the most.
    init(_ library: NVIDIALibrary, _ search: LibrarySearch, cudaMajor: Int? = nil) throws(CUDAError) {
        let candidates = search.candidates(library, cudaMajor: cudaMajor)
        var reasons: [String] = []
        for path in candidates {
            switch Self.open(path) {
            case .success(let handle):
                self.library = library
                self.handle = handle
                self.path = ccuda_file(handle, library.anchor).map { String(cString: $0) } ?? path
                return
            case .failure(let failure): reasons.append(failure.reason)
            }
        }
        // A file that is there and does not load says more than a name that was not found.
        let reason = reasons.first { !$0.contains("No such file") } ?? reasons.first ?? "no file of that name was found"
        throw .libraryMissing(
            library: library, tried: candidates, reason: reason,
            remedy: search.explicitPath(library) != nil
                ? "correct \(library.setting), or unset it to search" : library.remedy(cudaMajor: cudaMajor))
    }

    /// The table that `load` makes of the library.
    ///
    /// - Throws: `.symbolMissing`.
    func table<Table>(
        _ load: (UnsafeMutableRawPointer, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> UnsafeMutablePointer<Table>?
    ) throws(CUDAError) -> UnsafeMutablePointer<Table> {
        var missing: UnsafePointer<CChar>?
        guard let table = load(handle, &missing) else {
            let symbol = missing.map { String(cString: $0) } ?? "memory for its table"
            throw .symbolMissing(library: library, path: path, symbol: symbol)
        }
        return table
    }

    private struct Failure: Error {
        let reason: String
    }

    private static func open(_ path: String) -> Result<UnsafeMutableRawPointer, Failure> {
        var reason = [CChar](repeating: 0, count: 512)
        let handle = reason.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { ccuda_open(path, $0, buffer.count) }
        }
        guard let handle else { return .failure(Failure(reason: String(terminated: reason))) }
        return .success(handle)
    }
}

extension String {
    /// The text before the first zero.
    init(terminated characters: [CChar]) {
        self.init(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
