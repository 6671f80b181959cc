public import FacetTensor

/// The backend for one card, or for a part of one.
///
/// Every operation is enqueued on one stream; nothing is allocated in the middle of a pass. Large products go to
/// cuBLASLt where it is there, and to kernels of this package otherwise and for quantized weights; everything else is
/// kernels of this package (`CCUDAKernels`).
///
/// *Precision.* As the CPU backend: float32 activations are multiplied in float32, 16-bit ones on tensor cores with sums
/// in float32; codes of quantized weights are rounded to the type of the activations where tensor cores multiply them; where
/// `float8Use` says so, many rows meet fp8 weights as fp8 themselves, with a scale per row.
/// Activations may be float16 too. Which rows stand in one call may change the order of sums.
///
/// Indices on the card (token ids, positions, slots, pages) are not checked: the host knows them, and does.
///
/// Confined to one thread, the engine's.
public final class CUDABackend: Backend {
    public var device: DeviceID { tensors.device }

    public var activationDTypes: [DType] { [.float32, .bfloat16, .float16] }

    /// The card's memory and queue.
    public let tensors: TensorStream

    /// NVIDIA's matrix products; nil where the library is not used.
    let library: CUBLASLt?

    /// What 16-bit weights and biases are converted to when they are bound; nil to keep them as they are.
    let weightDType: DType?

    /// How weights of 8-bit floating point meet many rows.
    public let float8Use: Float8Use

    let kernels: [ActivationType: ActivationKernels]
    let copyConvert: CUDAKernel
    let findNonFinite: CUDAKernel
    let productPlain: CUDAKernel
    let fillNoise: CUDAKernel
    let topKPartials: CUDAKernel
    let scratch: CardScratch

    /// How many blocks of a fused kernel fit on the card at once, by kernel and shared memory.
    var residentBlocks: [ResidentBlocks: Int] = [:]

    /// Makes the backend of a card whose memory has been taken.
    ///
    /// - Parameters:
    ///   - arena: with a reserve of at least `CardScratch.reserveByteCount`.
    ///   - table: every kernel that the card can run (`EngineKernels.entries`).
    ///   - search: finds cuBLASLt; nil to do without.
    ///   - weightDType: what 16-bit weights are converted to; tensor cores multiply operands of one type only.
    ///   - usesFloat8Arithmetic: whether many rows may become 8-bit floating point where weights are.
    /// - Throws: `.libraryMissing`, `.kernelMissing`, `.outOfMemory`, `.callFailed`.
    public init(
        _ arena: DeviceArena, _ table: KernelTable, cublasLt search: LibrarySearch?, weightDType: DType? = nil,
        usesFloat8Arithmetic: Bool = true
    ) throws(CUDAError) {
        self.weightDType = weightDType
        tensors = try TensorStream(arena)
        scratch = try CardScratch(arena)
        library =
            if let search {
                try CUBLASLt(arena.context, workspace: scratch.workspace, search)
            } else {
                nil
            }
        float8Use = Float8Use(arena.context.info, library, isWanted: usesFloat8Arithmetic)
        var kernels: [ActivationType: ActivationKernels] = [:]
        for type in ActivationType.allCases { kernels[type] = try ActivationKernels(type, table) }
        self.kernels = kernels
        copyConvert = try table.kernel("copy_convert")
        findNonFinite = try table.kernel("find_non_finite")
        productPlain = try table.kernel("product_plain")
        fillNoise = try table.kernel("fill_noise")
        topKPartials = try table.kernel("top_k_partials")
    }

    /// What the driver says of the card.
    public var info: CUDADevice { tensors.context.info }

    // MARK: Memory and order

    public var memoryUse: MemoryUse? { tensors.memoryUse }

    public func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        try tensors.allocate(shape, dtype, label: label)
    }

    public func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try tensors.upload(bytes, into: tensor)
    }

    public func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try tensors.download(tensor, into: bytes)
    }

    public func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try tensors.enqueueDownload(tensor, into: bytes)
    }

    public func synchronize() throws(TensorError) { try tensors.synchronize() }

    public func record() throws(TensorError) -> any DeviceEvent { try tensors.record() }

    public func wait(for event: any DeviceEvent) throws(TensorError) { try tensors.wait(for: event) }

    public func makeCopyQueue() throws(TensorError) -> any CopyQueue { try tensors.makeCopyQueue() }

    public func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage? {
        try tensors.allocatePinned(byteCount, label: label)
    }

    public func makeReplayer() -> any Replayer { GraphReplayer(tensors) }

    // MARK: Launches

    /// Enqueues a kernel; no threads, no launch.
    func launch<each Parameter: KernelParameter>(
        _ kernel: CUDAKernel, grid: Dimensions, threads: Int, sharedByteCount: Int = 0,
        _ parameters: repeat each Parameter
    ) throws(TensorError) {
        guard grid.count > 0 else { return }
        let shape = LaunchShape(
            grid: grid, block: Dimensions(threads), sharedByteCount: sharedByteCount, startsEarly: true)
        do throws(CUDAError) {
            try tensors.stream.launch(kernel, shape, repeat each parameters)
        } catch { throw error.asTensorError(device) }
    }

    /// Blocks of 256 threads for so many elements; each thread goes on in steps of the grid.
    func elementGrid(_ count: Int) -> Dimensions {
        Dimensions(min((count + 255) / 256, 16 * max(1, info.multiprocessorCount)))
    }

    /// The kernels of a tensor's type.
    func kernels(of x: Tensor, _ argument: String, in operation: String) throws(TensorError) -> ActivationKernels {
        try requireHere(x, argument, in: operation)
        guard let type = ActivationType(x.dtype), let kernels = kernels[type] else {
            throw .unsupportedDType(
                operation: operation, argument: argument, expected: "float32, bfloat16 or float16", got: x.dtype)
        }
        return kernels
    }
}

/// A kernel with its shared memory.
struct ResidentBlocks: Hashable {
    let kernel: ObjectIdentifier
    let sharedByteCount: Int
}

extension Tensor {
    /// Whether vectors of 16 bytes can be read from the first element on.
    var isVectorAligned: Bool { UInt(bitPattern: address) % 16 == 0 }
}
