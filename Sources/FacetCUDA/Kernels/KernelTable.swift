/// A kernel as its source declares it.
public struct KernelEntry: Sendable, Hashable {
    /// As the code exports it.
    public let name: String

    /// The source that defines it: `norm.cu`.
    public let source: String

    /// Bytes of each parameter.
    public let parameterByteCounts: [Int]

    /// Declares a kernel.
    public init(name: String, source: String, parameterByteCounts: [Int]) {
        self.name = name
        self.source = source
        self.parameterByteCounts = parameterByteCounts
    }
}

/// All kernels of one card, looked up while the program starts: later nothing is loaded, and nothing can be missing.
public struct KernelTable: Sendable {
    private let kernels: [String: CUDAKernel]

    /// Where the code of each source came from.
    public let origins: [String: KernelStore.Origin]

    /// Gets the code of every source and looks every kernel up.
    ///
    /// - Throws: what the store throws, `.kernelMissing`, `.parameterMismatch`.
    public init(_ entries: [KernelEntry], from store: KernelStore, on context: CUDAContext) throws(CUDAError) {
        var images: [String: KernelImage] = [:]
        var origins: [String: KernelStore.Origin] = [:]
        var kernels: [String: CUDAKernel] = [:]
        for entry in entries {
            let image: KernelImage
            if let loaded = images[entry.source] {
                image = loaded
            } else {
                let code = try store.code(entry.source, for: context.info.capability)
                image = try KernelImage(context, code.bytes, name: entry.source)
                images[entry.source] = image
                origins[entry.source] = code.origin
            }
            kernels[entry.name] = try image.kernel(
                entry.name, on: context, parameterByteCounts: entry.parameterByteCounts)
        }
        self.kernels = kernels
        self.origins = origins
    }

    /// The names, sorted.
    public var names: [String] { kernels.keys.sorted() }

    /// A kernel by its name; nil for a name that no entry had.
    subscript(name: String) -> CUDAKernel? { kernels[name] }

    /// A kernel by its name.
    ///
    /// - Throws: `.kernelMissing` for a name that no entry had.
    public func kernel(_ name: String) throws(CUDAError) -> CUDAKernel {
        guard let kernel = kernels[name] else { throw .kernelMissing(kernel: name, image: "the table of kernels") }
        return kernel
    }
}
