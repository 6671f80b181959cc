import CCPU

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The backend for the processor that runs the program.
///
/// Work runs in place, on a pool of threads that the calling thread joins; when a call returns its result is
/// there. Weights are bound where they are: a mapped bfloat16 matrix is multiplied from the mapping. `packed` lays them
/// out anew, for faster products.
///
/// *Precision.* float32 activations are multiplied in float32; bfloat16 activations with bfloat16 weights by
/// bfloat16 products summed in float32, with packed int8 and int4 weights as int8 where products of bytes are faster.
/// Results do not depend on the number of threads, bit for bit; they do
/// depend on the instruction set, within rounding.
///
/// Scratch is reserved here, once: 32 MiB, and 4 MiB per thread, resident as far as it is used.
public final class CPUBackend: Backend {
    public let device: DeviceID

    /// Threads that work on one call, the caller among them.
    public let threadCount: Int

    /// The kernels that this backend runs.
    public let instructionSet: InstructionSet

    /// The C side: pool, kernels, scratch.
    let engine: OpaquePointer

    /// Starts the threads and reserves scratch.
    ///
    /// - Parameters:
    ///   - device: the name under which tensors live here.
    ///   - threadCount: threads in all; nil for one per processor that this process may use.
    ///   - instructionSet: kernels to run; nil for the best that the processor has.
    /// - Throws: `.unsupportedInstructionSet`, `.outOfMemory`.
    public init(
        device: DeviceID = .cpu, threadCount: Int? = nil, instructionSet: InstructionSet? = nil
    ) throws(TensorError) {
        let count = threadCount ?? CPUFeatures.availableProcessorCount
        precondition(count > 0 && count <= 4096, "a CPU backend needs between 1 and 4096 threads, not \(count)")
        let set = instructionSet ?? .best
        guard set.isSupported else { throw .unsupportedInstructionSet(requested: set, best: .best) }
        guard let engine = cc_engine_create(Int32(count), set.code) else {
            throw .outOfMemory(label: "threads and scratch", byteCount: (32 + 4 * count) << 20, device: device)
        }
        self.device = device
        self.threadCount = count
        self.instructionSet = set
        self.engine = engine
    }

    deinit { cc_engine_destroy(engine) }

    // MARK: Memory

    public func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        let byteCount = shape.elementCount * dtype.byteCount
        return Tensor(
            try Storage(allocating: byteCount, device: device, label: label), shape: shape, dtype: dtype)
    }

    public func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try requireOutput(tensor, "tensor", in: "upload")
        try TransferChecks.upload(bytes.count, into: tensor, device)
        if let source = bytes.baseAddress { memcpy(tensor.address, source, bytes.count) }
    }

    public func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try TransferChecks.download(tensor, bytes.count, device)
        if let target = bytes.baseAddress { memcpy(target, tensor.address, bytes.count) }
    }

    public func synchronize() throws(TensorError) {}

    // MARK: Weights

    public func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let operation = "bind(weight:bias:)"
        try requireMatrix(weight, in: operation)
        let outputs = weight.shape[0], inputs = weight.shape[1]
        let limit = cc_row_limit()
        try require(inputs <= limit, weight, "weight", "[outputs, at most \(limit)]", in: operation)
        if let bias { try requireBias(bias, count: outputs, in: operation) }
        return LinearWeights(weight: weight, bias: bias, outputs: outputs, inputs: inputs)
    }

    public func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let operation = "bind(quantized:bias:)"
        try requireQuantized(matrix, in: operation)
        let limit = cc_row_limit()
        try require(matrix.inputs <= limit, matrix.codes, "codes", "rows of at most \(limit) elements", in: operation)
        if let bias { try requireBias(bias, count: matrix.outputs, in: operation) }
        return LinearWeights(quantized: matrix, bias: bias)
    }

    public func bind(parameter: Tensor) throws(TensorError) -> Tensor {
        try requireBindable(parameter, "parameter", in: "bind(parameter:)")
        return parameter
    }
}
