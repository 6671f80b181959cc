#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A logical device on the processor: memory with a budget, a queue and threads of its own.
///
/// What a graphics card demands, this demands too: operands must lie in its memory, copies from elsewhere are explicit,
/// memory beyond the budget is refused, and a call only enqueues. So every division of a model among devices can be
/// run and tested without any.
///
/// With a budget, weights are copied into the device's memory and count; without one they are used from where they
/// were, as `CPUBackend` does. The threads' scratch memory is outside the budget, as a driver's context would be.
public final class CPUDevice: Backend {
    public let device: DeviceID

    private let account: MemoryAccount
    private let kernels: Kernels
    private let queue: WorkQueue

    /// Passes the backend to the queue's thread, the only one to compute with it.
    ///
    /// `@unchecked`: the other threads read its constants only.
    final class Kernels: @unchecked Sendable {
        let backend: CPUBackend
        init(_ backend: CPUBackend) { self.backend = backend }
    }

    /// Starts a device.
    ///
    /// - Parameters:
    ///   - index: its number: `cpu:index`.
    ///   - threadCount: threads that compute, the queue's own among them.
    ///   - budgetByteCount: bytes that tensors may take; nil for no limit.
    ///   - instructionSet: kernels to run; nil for the best that the processor has.
    /// - Throws: `.unsupportedInstructionSet`, `.outOfMemory`.
    public init(
        index: Int, threadCount: Int = 1, budgetByteCount: Int? = nil, instructionSet: InstructionSet? = nil
    ) throws(TensorError) {
        let device = DeviceID(.cpu, index)
        kernels = Kernels(
            try CPUBackend(device: device, threadCount: threadCount, instructionSet: instructionSet))
        queue = try WorkQueue(device: device)
        account = MemoryAccount(budget: budgetByteCount)
        self.device = device
    }

    deinit { queue.stop() }

    /// Threads that compute.
    public var threadCount: Int { kernels.backend.threadCount }

    public var memoryUse: MemoryUse? {
        let counts = account.counts
        return MemoryUse(
            usedByteCount: counts.used, peakByteCount: counts.peak, budgetByteCount: account.budget,
            countsWeights: account.budget != nil)
    }

    // MARK: The queue

    /// Enqueues an operation whose operands lie on this device.
    ///
    /// - Throws: `.wrongDevice` at once.
    func enqueue(
        _ operation: String, _ operands: Tensor..., work: @escaping @Sendable (CPUBackend) throws(TensorError) -> Void
    ) throws(TensorError) {
        for operand in operands where operand.device != device {
            throw .wrongDevice(
                operation: operation, argument: "operand of shape \(operand.shape)", expected: device,
                got: operand.device)
        }
        let kernels = kernels
        queue.enqueue { () throws(TensorError) in try work(kernels.backend) }
    }

    /// Makes the queue fail when it comes to this point, as a device that breaks down would.
    package func raise(_ error: TensorError) { queue.enqueue { () throws(TensorError) in throw error } }

    public func synchronize() throws(TensorError) { try queue.drain() }

    public func record() throws(TensorError) -> any DeviceEvent { queue.record() }

    public func wait(for event: any DeviceEvent) throws(TensorError) { queue.wait(for: event) }

    public func makeCopyQueue() throws(TensorError) -> any CopyQueue { try CPUCopyQueue(device) }

    // MARK: Memory

    public func allocate(_ shape: Shape, _ dtype: DType, label: String) throws(TensorError) -> Tensor {
        try allocate(shape, dtype, label: label, isZeroed: true)
    }

    private func allocate(
        _ shape: Shape, _ dtype: DType, label: String, isZeroed: Bool
    ) throws(TensorError) -> Tensor {
        let byteCount = shape.elementCount * dtype.byteCount
        let storage = try Storage(
            allocating: byteCount, device: device, label: label, account: account, isZeroed: isZeroed)
        return Tensor(storage, shape: shape, dtype: dtype)
    }

    public func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        // The caller may reuse the bytes before the queue comes here.
        let copy = [UInt8](bytes)
        try enqueue("upload", tensor) { (backend) throws(TensorError) in
            try copy.withBytes { (bytes) throws(TensorError) in try backend.upload(bytes, into: tensor) }
        }
    }

    public func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try enqueueDownload(tensor, into: bytes)
        try synchronize()
    }

    public func enqueueDownload(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try TransferChecks.download(tensor, bytes.count, device)
        let target = HostBytes(bytes)
        try enqueue("download", tensor) { (backend) throws(TensorError) in
            try backend.download(tensor, into: target.bytes)
        }
    }

    // MARK: Weights

    public func bind(weight: Tensor, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let bound = try kernels.backend.bind(weight: weight, bias: bias)
        return LinearWeights(
            weight: try resident(bound.weight, "weight"),
            bias: try bound.bias.map(orThrow: { (bias) throws(TensorError) in
                try resident(bias, "bias")
            }), outputs: bound.outputs, inputs: bound.inputs)
    }

    public func bind(quantized matrix: QuantizedMatrix, bias: Tensor?) throws(TensorError) -> LinearWeights {
        let bound = try kernels.backend.bind(quantized: matrix, bias: bias)
        return LinearWeights(
            quantized: matrix.moved(
                codes: try resident(matrix.codes, "weight"), scales: try resident(matrix.scales, "scales")),
            bias: try bound.bias.map(orThrow: { (bias) throws(TensorError) in
                try resident(bias, "bias")
            }))
    }

    /// Where memory counts the weights stay as they are bound, so that they take the bytes that were planned.
    public func packed(_ layer: LinearWeights, isGated: Bool) throws(TensorError) -> LinearWeights {
        guard account.budget == nil, let layout = PackedLayout(layer, isGated: isGated) else { return layer }
        let matrix = try PackedMatrix(layout, device: device, label: "packed weight")
        queue.enqueue { [kernels] () throws(TensorError) in try kernels.backend.pack(layer, into: matrix) }
        return LinearWeights(packed: matrix, bias: layer.bias)
    }

    public func bind(parameter: Tensor) throws(TensorError) -> Tensor {
        try resident(kernels.backend.bind(parameter: parameter), "parameter")
    }

    /// The tensor in this device's memory: copied by the queue where memory counts, seen under its name otherwise.
    private func resident(_ tensor: Tensor, _ label: String) throws(TensorError) -> Tensor {
        guard account.budget != nil else {
            let bytes = UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount)
            let view = Storage(viewing: bytes, device: device, owner: tensor.storage)
            return Tensor(view, shape: tensor.shape, dtype: tensor.dtype)
        }
        let copy = try allocate(tensor.shape, tensor.dtype, label: label, isZeroed: false)
        try enqueue("bind", copy) { (backend) throws(TensorError) in try backend.copy(tensor, into: copy) }
        return copy
    }
}

extension Optional {
    /// The value passed through a function that may throw.
    fileprivate func map<Value>(
        orThrow transform: (Wrapped) throws(TensorError) -> Value
    ) throws(TensorError) -> Value? {
        guard let self else { return nil }
        return try transform(self)
    }
}

extension Array where Element == UInt8 {
    /// As `withUnsafeBytes`, for work that throws this module's error.
    fileprivate func withBytes(_ work: (UnsafeRawBufferPointer) throws(TensorError) -> Void) throws(TensorError) {
        var failure: TensorError?
        withUnsafeBytes { bytes in
            do throws(TensorError) { try work(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Where a download goes.
///
/// `@unchecked`: the caller leaves the bytes alone until the queue has passed.
private struct HostBytes: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }
}

/// Copies host bytes into a logical device's memory on a thread of its own.
final class CPUCopyQueue: CopyQueue {
    private let device: DeviceID
    private let queue: WorkQueue

    init(_ device: DeviceID) throws(TensorError) {
        self.device = device
        queue = try WorkQueue(device: device)
    }

    deinit { queue.stop() }

    func upload(
        _ bytes: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable, into tensor: Tensor
    ) throws(TensorError) {
        try TransferChecks.upload(bytes.count, into: tensor, device)
        guard let address = bytes.baseAddress else { return }
        let source = Storage(
            viewing: UnsafeRawBufferPointer(start: address, count: bytes.count), device: device, owner: owner)
        queue.enqueue { () throws(TensorError) in memcpy(tensor.address, source.base, source.byteCount) }
    }

    func record() -> any DeviceEvent { queue.record() }

    func wait(for event: any DeviceEvent) throws(TensorError) { queue.wait(for: event) }

    func synchronize() throws(TensorError) { try queue.drain() }
}
