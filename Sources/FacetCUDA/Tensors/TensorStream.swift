public import FacetTensor

/// One card in the terms of the tensor layer: tensors in its memory, bytes to and fro, order among devices.
///
/// This is the part of a backend that has nothing to do with arithmetic. Everything is enqueued on one stream; only
/// `download` and `synchronize` wait, and `allocate` when it gives away memory that was used before: tensors hold
/// their storage, but what is enqueued does not hold tensors.
///
/// Confined to its backend's thread.
public final class TensorStream {
    /// The card's context.
    public let context: CUDAContext

    /// The card's memory.
    public let arena: DeviceArena

    /// Where everything is enqueued.
    public let stream: CUDAStream

    private let ring: HostRing
    private var links: [DeviceID: PeerLink] = [:]
    private var idleReturnCount = 0

    /// Starts the queue of a card whose memory has been taken.
    ///
    /// - Throws: `.callFailed`.
    public init(_ arena: DeviceArena, ringSlotCount: Int = 4, ringSlotByteCount: Int = 4 << 20) throws(CUDAError) {
        context = arena.context
        self.arena = arena
        stream = try CUDAStream(arena.context)
        ring = try HostRing(arena.context, slotCount: ringSlotCount, slotByteCount: ringSlotByteCount)
    }

    deinit {
        // What is enqueued reads and writes memory that goes now. An error is nobody's any more.
        try? stream.synchronize()
    }

    /// The card's name.
    public var device: DeviceID { context.device }

    /// What tensors hold.
    public var memoryUse: MemoryUse { arena.use }

    /// Says how bytes come from another card; a card without a link cannot be copied from.
    public func connect(_ source: DeviceID, by link: PeerLink) { links[source] = link }

    // MARK: Memory

    /// Takes memory for a tensor.
    ///
    /// - Parameters:
    ///   - isZeroed: false where all of it is about to be written.
    ///   - countedByteCount: what it counts for in the budget; nil for all of it.
    /// - Throws: `.outOfMemory` with `label`, `.deviceFailed`.
    public func allocate(
        _ shape: Shape, _ dtype: DType, label: String, isZeroed: Bool = true, countedByteCount: Int? = nil
    ) throws(TensorError) -> Tensor {
        let byteCount = shape.elementCount * dtype.byteCount
        let buffer = try run { () throws(CUDAError) in
            let buffer = try arena.allocate(byteCount, label: label, countedByteCount: countedByteCount)
            // What was enqueued for the part's last tensor may still be running, here or on a copy queue.
            let returnCount = arena.returnCount
            if returnCount != idleReturnCount {
                try context.synchronize()
                idleReturnCount = returnCount
            }
            if isZeroed { try stream.fill(buffer.address, byteCount: byteCount) }
            return buffer
        }
        return view(buffer, shape, dtype)
    }

    /// A tensor of the host's, in this card's memory.
    ///
    /// Pages of a mapped file go while it is read: the host never holds the whole tensor.
    /// - Throws: `.wrongDevice` for a tensor of another card, `.outOfMemory` with `label`, `.deviceFailed`.
    public func resident(_ tensor: Tensor, label: String) throws(TensorError) -> Tensor {
        guard tensor.device.kind == .cpu else {
            throw .wrongDevice(operation: "bind", argument: label, expected: .cpu, got: tensor.device)
        }
        let copy = try allocate(tensor.shape, tensor.dtype, label: label, isZeroed: false)
        let bytes = UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount)
        try run { () throws(CUDAError) in
            try ring.upload(bytes, to: copy.deviceAddress, on: stream) { range in
                tensor.storage.letGo(tensor.byteOffset + range.lowerBound..<tensor.byteOffset + range.upperBound)
            }
        }
        return copy
    }

    /// Rows of the host's, in this card's memory, each beginning at a multiple of `alignment` bytes; zeros between.
    ///
    /// What is added to the rows does not count in the budget.
    /// - Parameter tensor: of one byte per element.
    /// - Throws: as `resident`.
    func residentRows(_ tensor: Tensor, alignment: Int, label: String) throws(TensorError) -> Tensor {
        let (rows, width) = (tensor.rowCount, tensor.shape.rowElementCount)
        guard width % alignment != 0 else { return try resident(tensor, label: label) }
        let padded = (width + alignment - 1) / alignment * alignment
        let copy = try allocate(
            [rows, padded], tensor.dtype, label: label, isZeroed: false, countedByteCount: tensor.byteCount)
        var bytes = [UInt8](repeating: 0, count: rows * padded)
        for row in 0..<rows {
            let source = UnsafeRawBufferPointer(start: tensor.address + row * width, count: width)
            bytes.replaceSubrange(row * padded..<row * padded + width, with: source)
        }
        var failure: TensorError?
        bytes.withUnsafeBytes { bytes in
            do throws(TensorError) { try upload(bytes, into: copy) } catch { failure = error }
        }
        if let failure { throw failure }
        return copy
    }

    /// Part of the arena as a tensor.
    func view(_ buffer: DeviceBuffer, _ shape: Shape, _ dtype: DType) -> Tensor {
        let storage = Storage(
            deviceAddress: UInt(buffer.address.value), byteCount: buffer.byteCount, device: device, owner: buffer)
        return Tensor(storage, shape: shape, dtype: dtype)
    }

    /// Waits for the queue; the one int32 of a tensor.
    func integer(_ tensor: Tensor) throws(TensorError) -> Int32 {
        var value: Int32 = 0
        var failure: TensorError?
        withUnsafeMutableBytes(of: &value) { bytes in
            do throws(TensorError) { try download(tensor, into: bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        return value
    }

    /// Enqueues a copy of host bytes into the start of a tensor; the bytes may change as soon as this returns.
    ///
    /// - Throws: `.wrongDevice`, `.shapeMismatch` when there are more bytes than the tensor holds, `.deviceFailed`.
    public func upload(_ bytes: UnsafeRawBufferPointer, into tensor: Tensor) throws(TensorError) {
        try TransferChecks.upload(bytes.count, into: tensor, device)
        try run { () throws(CUDAError) in try ring.upload(bytes, to: tensor.deviceAddress, on: stream) }
    }

    /// Enqueues a copy of a tensor's bytes to the host; they are there when an event recorded afterwards has passed.
    ///
    /// - Throws: `.wrongDevice`, `.shapeMismatch` unless the counts agree, `.deviceFailed`.
    public func enqueueDownload(
        _ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) {
        try TransferChecks.download(tensor, bytes.count, device)
        try run { () throws(CUDAError) in
            try ring.enqueueDownload(tensor.deviceAddress, into: bytes, on: stream)
        }
    }

    /// Waits for the queue and copies a tensor's bytes to the host; when this throws, they are not written any more.
    ///
    /// - Throws: `.wrongDevice`, `.shapeMismatch` unless the counts agree, `.deviceFailed`.
    public func download(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
        try TransferChecks.download(tensor, bytes.count, device)
        try run { () throws(CUDAError) in try ring.download(tensor.deviceAddress, into: bytes, on: stream) }
    }

    /// Enqueues a copy of a tensor's elements from this card, from another one, or from the host.
    ///
    /// - Parameters:
    ///   - x: written by work that this queue has been made to wait for.
    ///   - y: on this card, of the same dtype and element count.
    /// - Throws: `.wrongDevice` for a card without a link, `.unsupportedDType`, `.shapeMismatch`, `.deviceFailed`.
    public func copy(_ x: Tensor, into y: Tensor) throws(TensorError) {
        try TransferChecks.copy(x, y, device)
        if x.device == device {
            try run { () throws(CUDAError) in
                try stream.copy(x.deviceAddress, to: y.deviceAddress, byteCount: y.byteCount)
            }
        } else if x.device.kind == .cpu {
            try upload(UnsafeRawBufferPointer(start: x.address, count: x.byteCount), into: y)
        } else {
            guard let link = links[x.device] else {
                throw .wrongDevice(operation: "copy", argument: "x", expected: device, got: x.device)
            }
            try run { () throws(CUDAError) in
                try link.copy(x.deviceAddress, to: y.deviceAddress, byteCount: y.byteCount, on: stream)
            }
        }
    }

    // MARK: Order

    /// Waits until everything enqueued so far has run.
    ///
    /// - Throws: `.deviceFailed`; a card whose context is lost stays so.
    public func synchronize() throws(TensorError) {
        try run { () throws(CUDAError) in try stream.synchronize() }
    }

    /// Marks the present end of the queue.
    ///
    /// - Throws: `.deviceFailed`.
    public func record() throws(TensorError) -> CUDAEvent { try run { () throws(CUDAError) in try stream.record() } }

    /// Lets what is enqueued from now on wait for an event; one of another kind of device is waited for on this thread.
    ///
    /// - Throws: `.deviceFailed`, and what went wrong before the event.
    public func wait(for event: any DeviceEvent) throws(TensorError) {
        guard let event = event as? CUDAEvent else { return try event.synchronize() }
        try run { () throws(CUDAError) in try stream.wait(for: event) }
    }

    /// Makes a queue that copies host bytes to this card while it computes.
    ///
    /// - Throws: `.deviceFailed`.
    public func makeCopyQueue() throws(TensorError) -> CUDACopyQueue {
        try run { () throws(CUDAError) in try CUDACopyQueue(context) }
    }

    /// Takes host memory that copy queues of this card read by themselves.
    ///
    /// - Throws: `.pinningRefused`, `.deviceFailed` for a card that is lost.
    public func allocatePinned(_ byteCount: Int, label: String) throws(TensorError) -> Storage {
        do throws(CUDAError) {
            let memory = try PinnedMemory(context, byteCount: byteCount)
            return Storage(hostMemory: memory.base, byteCount: byteCount, owner: memory)
        } catch .callFailed(_, let call, let result, let reason) {
            throw .pinningRefused(
                label: label, byteCount: byteCount, device: device, reason: "\(call): \(result), \(reason)")
        } catch { throw error.asTensorError(device) }
    }

    /// Runs calls of the card and throws their errors as the tensor layer knows them.
    func run<Value>(_ body: () throws(CUDAError) -> Value) throws(TensorError) -> Value {
        do throws(CUDAError) { return try body() } catch { throw error.asTensorError(device) }
    }
}

extension Tensor {
    /// Where the first element lies in its card's memory.
    var deviceAddress: DeviceAddress { DeviceAddress(UInt64(UInt(bitPattern: address))) }
}
