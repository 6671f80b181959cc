import CCUDA

/// The compiler of kernels; needs no card, and no other tool.
///
/// `@unchecked`: the table never changes, and programs are independent of each other.
public final class NVRTC: @unchecked Sendable {
    /// The file that was opened.
    public let path: String

    /// The toolkit that it belongs to.
    public let version: CUDAVersion

    /// Architectures that it compiles for, as numbers: 89 for `sm_89`.
    public let architectures: [Int]

    private let api: UnsafeMutablePointer<ccuda_nvrtc>

    /// Opens the compiler.
    ///
    /// - Parameter cudaMajor: what the driver supports: code of a newer toolkit would not load.
    /// - Throws: `.libraryMissing` with the package that brings it, `.symbolMissing`.
    public init(_ search: LibrarySearch = LibrarySearch(), cudaMajor: Int? = nil) throws(CUDAError) {
        let library = try OpenLibrary(.nvrtc, search, cudaMajor: cudaMajor)
        let api = try library.table { ccuda_nvrtc_load($0, $1) }
        self.api = api
        path = library.path
        Self.openBuiltins(beside: library.path)
        var (major, minor): (Int32, Int32) = (0, 0)
        try Self.check(api, api.pointee.version(&major, &minor), "nvrtcVersion")
        version = CUDAVersion(Int(major), Int(minor))
        var count: Int32 = 0
        try Self.check(api, api.pointee.getNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs")
        var numbers = [Int32](repeating: 0, count: max(Int(count), 1))
        try Self.check(api, api.pointee.getSupportedArchs(&numbers), "nvrtcGetSupportedArchs")
        architectures = numbers.prefix(Int(count)).map(Int.init)
    }

    /// A compiled source.
    public struct Result: Sendable {
        /// Code for cards of the architecture.
        public let cubin: [UInt8]

        /// What the compiler said of it; mostly nothing.
        public let log: String
    }

    /// Compiles a source.
    ///
    /// - Parameters:
    ///   - name: what the compiler's messages call the source.
    ///   - headers: what it includes, by name.
    ///   - options: those of NVRTC, without the architecture.
    /// - Throws: `.compilationFailed` with the compiler's messages.
    public func compile(
        _ source: String, name: String, headers: [(name: String, text: String)] = [],
        for architecture: GPUArchitecture, options: [String] = []
    ) throws(CUDAError) -> Result {
        var program: nvrtcProgram?
        let created = CStrings(headers.map(\.text)).withPointers { texts in
            CStrings(headers.map(\.name)).withPointers { names in
                api.pointee.createProgram(&program, source, name, Int32(headers.count), texts, names)
            }
        }
        try Self.check(api, created, "nvrtcCreateProgram")
        defer { _ = api.pointee.destroyProgram(&program) }
        let all = ["--gpu-architecture=\(architecture)"] + options
        let compiled = CStrings(all).withPointers { api.pointee.compileProgram(program, Int32(all.count), $0) }
        let log = try self.log(program)
        guard compiled == NVRTC_SUCCESS else {
            let result = api.pointee.getErrorString(compiled).map { String(cString: $0) } ?? "\(compiled.rawValue)"
            throw .compilationFailed(
                source: name, architecture: "\(architecture)", log: log.isEmpty ? result : "\(result)\n\(log)")
        }
        var byteCount = 0
        try Self.check(api, api.pointee.getCUBINSize(program, &byteCount), "nvrtcGetCUBINSize")
        var cubin = [UInt8](repeating: 0, count: byteCount)
        let copied = cubin.withUnsafeMutableBytes {
            api.pointee.getCUBIN(program, $0.baseAddress?.assumingMemoryBound(to: CChar.self))
        }
        try Self.check(api, copied, "nvrtcGetCUBIN")
        return Result(cubin: cubin, log: log)
    }

    private func log(_ program: nvrtcProgram?) throws(CUDAError) -> String {
        var byteCount = 0
        try Self.check(api, api.pointee.getProgramLogSize(program, &byteCount), "nvrtcGetProgramLogSize")
        guard byteCount > 1 else { return "" }
        var characters = [CChar](repeating: 0, count: byteCount)
        try Self.check(api, api.pointee.getProgramLog(program, &characters), "nvrtcGetProgramLog")
        return String(terminated: characters)
    }

    /// Opens the library that the compiler needs for itself.
    ///
    /// The compiler opens it by name and finds it only on the loader's path, but takes one of that name that is open
    /// already, wherever it lies. Without it every compilation fails.
    private static func openBuiltins(beside path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        for file in LibrarySearch.matches("\(path[..<slash])/libnvrtc-builtins.so.*") {
            var reason: [CChar] = [0]
            _ = ccuda_open(file, &reason, 1)
        }
    }

    private static func check(
        _ api: UnsafeMutablePointer<ccuda_nvrtc>, _ result: nvrtcResult, _ call: String
    ) throws(CUDAError) {
        guard result != NVRTC_SUCCESS else { return }
        let name = api.pointee.getErrorString(result).map { String(cString: $0) } ?? "error \(result.rawValue)"
        throw .libraryCallFailed(library: .nvrtc, call: call, result: name)
    }
}

/// Texts as C takes a list of them.
private struct CStrings {
    private let bytes: [CChar]
    private let offsets: [Int]

    init(_ texts: [String]) {
        var bytes: [CChar] = []
        var offsets: [Int] = []
        for text in texts {
            offsets.append(bytes.count)
            bytes += text.utf8CString
        }
        self.bytes = bytes
        self.offsets = offsets
    }

    /// The addresses of the texts, valid inside the closure.
    func withPointers<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { bytes in
            let pointers = offsets.map { offset in bytes.baseAddress.map { $0 + offset } }
            return pointers.withUnsafeBufferPointer { body($0.isEmpty ? nil : $0.baseAddress) }
        }
    }
}
