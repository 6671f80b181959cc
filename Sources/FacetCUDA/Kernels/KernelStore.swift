/// Where compiled kernels come from, in order: beside the program, the cache on disk, the compiler.
///
/// - Beside the program: `kernels-KEY/sm_89/norm.cubin`, as a release carries them; KEY names the sources, so that code of
///   other sources is never taken.
/// - The cache: `KEY/sm_89/norm.cubin`, where KEY names the source, its headers, the options and the compiler's version. A
///   file ends with the SHA-256 of what is before; one that was cut or changed is compiled anew. Files appear under
///   their names only when they are whole, so several programs may share a cache.
/// - The compiler, which is opened only when it is needed.
public final class KernelStore {
    /// Where code came from.
    public enum Origin: Sendable, Hashable {
        case release(file: String)
        case cache(file: String)
        case compiler(CUDAVersion)
    }

    /// Code of one source.
    public struct Code: Sendable, Hashable {
        /// The cubin.
        public let bytes: [UInt8]

        /// Where it came from.
        public let origin: Origin
    }

    private let sources: KernelSources
    private let releaseFolder: String?
    private let cacheFolder: String?
    private let openCompiler: () throws(CUDAError) -> NVRTC
    private var compiler: NVRTC?
    private var found: [String: Code] = [:]

    /// Why the last compiled code could not be kept, if it could not; it is used all the same.
    public private(set) var cacheFailure: CUDAError?

    /// Describes a store.
    ///
    /// - Parameters:
    ///   - releaseFolder: the program's own folder; nil to look nowhere.
    ///   - cacheFolder: nil to keep nothing.
    ///   - compiler: opens the compiler, for which it is asked once.
    public init(
        _ sources: KernelSources, releaseFolder: String?, cacheFolder: String?,
        compiler: @escaping () throws(CUDAError) -> NVRTC
    ) {
        self.sources = sources
        self.releaseFolder = releaseFolder
        self.cacheFolder = cacheFolder
        openCompiler = compiler
    }

    /// The code of one source for a card.
    ///
    /// - Parameter name: the source's file name.
    /// - Throws: `.kernelMissing` for an unknown source, `.unsupportedArchitecture`, `.compilationFailed`, and what
    ///   opening the compiler throws when nothing else has the code.
    public func code(_ name: String, for capability: ComputeCapability) throws(CUDAError) -> Code {
        guard let source = sources.sources.first(where: { $0.name == name }) else {
            throw .kernelMissing(kernel: name, image: "the program's sources")
        }
        // Cards of one kind share their code.
        let place = "\(name) \(capability)"
        if let code = found[place] { return code }
        let code = try look(source, capability)
        found[place] = code
        return code
    }

    private func look(_ source: KernelSource, _ capability: ComputeCapability) throws(CUDAError) -> Code {
        if let code = released(source, capability) { return code }
        let compiler = try openedCompiler()
        guard let architecture = GPUArchitecture(of: capability, supported: compiler.architectures) else {
            let newest = compiler.architectures.max() ?? 0
            throw .unsupportedArchitecture(
                device: "A card of compute capability \(capability)", compiler: "NVRTC \(compiler.version)",
                newest: "\(newest / 10).\(newest % 10)")
        }
        let key = sources.key(of: source, "\(compiler.version) \(architecture)")
        let file = cacheFolder.map { "\($0)/\(key)/\(architecture)/\(source.stem).cubin" }
        if let file, let bytes = CacheFile.load(file) { return Code(bytes: bytes, origin: .cache(file: file)) }
        let result = try compiler.compile(
            source.text, name: source.name, headers: sources.headers.map { ($0.name, $0.text) }, for: architecture,
            options: sources.options)
        if let file {
            do throws(CUDAError) {
                try CacheFile.store(result.cubin, to: file)
            } catch { cacheFailure = error }
        }
        return Code(bytes: result.cubin, origin: .compiler(compiler.version))
    }

    /// The code that a release carries: for the card, or for the nearest older member of its generation.
    private func released(_ source: KernelSource, _ capability: ComputeCapability) -> Code? {
        guard let releaseFolder else { return nil }
        for minor in stride(from: capability.minor, through: 0, by: -1) {
            let architecture = GPUArchitecture(ComputeCapability(capability.major, minor))
            let file = "\(releaseFolder)/kernels-\(sources.key)/\(architecture)/\(source.stem).cubin"
            if let bytes = CacheFile.contents(file) { return Code(bytes: bytes, origin: .release(file: file)) }
        }
        return nil
    }

    private func openedCompiler() throws(CUDAError) -> NVRTC {
        if let compiler { return compiler }
        let opened = try openCompiler()
        compiler = opened
        return opened
    }
}
