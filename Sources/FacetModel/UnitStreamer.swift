import FacetPlacement
public import FacetTensor

/// Time spent on bringing streamed units to a device.
public struct StreamTiming: Sendable, Hashable {
    /// Index of the device.
    public let device: Int

    /// Copies made.
    public internal(set) var copyCount = 0

    /// How long the copies took.
    public internal(set) var copying = Duration.zero

    /// Why the processor has a part in every copy from the host's memory; nil where the device copies by itself.
    public internal(set) var pinningRefusal: TensorError?

    /// How long the device stood still for them.
    public internal(set) var waiting = Duration.zero

    /// How much of the copying happened while the device computed.
    public var hidden: Duration { max(.zero, copying - waiting) }

    /// The same as a share of all copying, from 0 to 1; 1 when nothing was copied.
    public var hiddenShare: Double { copying > .zero ? hidden / copying : 1 }
}

/// Brings the weights of one device's streamed units into two buffers in turns, one unit ahead of the computation.
///
///     copies    | unit 1 → A | unit 2 → B | unit 3 → A     | ...
///     device                 | unit 1 (A) | unit 2 (B)     | unit 3 (A)
///
/// A unit whose weights are still in a buffer is not copied again: with two streamed units or less every copy is the
/// first.
final class UnitStreamer {
    /// Buffers of a device.
    static let bufferCount = 2

    private struct Buffer {
        let memory: Tensor
        var unit: UnitName?
        var ready: (any DeviceEvent)?
    }

    private let backend: any Backend
    private let copies: any CopyQueue
    private let next: [UnitName: UnitName]
    private var sources: [UnitName: StreamedWeights] = [:]
    private var buffers: [Buffer]
    private var current = 0
    private var pendingCopies: [(start: any DeviceEvent, end: any DeviceEvent)] = []
    private var pendingWaits: [(start: any DeviceEvent, end: any DeviceEvent)] = []
    private var measured: StreamTiming

    /// Takes the buffers.
    ///
    /// - Parameters:
    ///   - units: the device's streamed units in the order of execution.
    ///   - byteCount: bytes of the largest unit.
    init(
        _ units: [UnitName], byteCount: Int, device: Int, backend: any Backend
    ) throws(TensorError) {
        var buffers: [Buffer] = []
        for index in 0..<Self.bufferCount {
            let memory = try backend.allocate([byteCount], .uint8, label: "staging buffer \(index)")
            buffers.append(Buffer(memory: memory))
        }
        self.buffers = buffers
        self.backend = backend
        copies = try backend.makeCopyQueue()
        // After the last unit of a picture comes the first of the decoder; after a step comes the next step.
        let decoder = units.filter { !$0.isVision }
        var next = Dictionary(uniqueKeysWithValues: zip(units, units.dropFirst()))
        if let last = decoder.last { next[last] = decoder[0] }
        self.next = next
        measured = StreamTiming(device: device)
    }

    deinit {
        // A copy for a step that never comes may be under way; the buffers go with it. Its error is nobody's any more.
        try? copies.synchronize()
    }

    /// Says where a unit's weights are between two uses.
    func add(_ unit: UnitName, _ weights: StreamedWeights) { sources[unit] = weights }

    /// Host memory for the weights of a unit: such as the device reads by itself, as long as the system gives it.
    ///
    /// - Throws: `.outOfMemory`, `.deviceFailed`.
    func hostMemory(_ byteCount: Int, label: String) throws(TensorError) -> Storage {
        if measured.pinningRefusal == nil {
            do throws(TensorError) {
                if let storage = try backend.allocatePinned(byteCount, label: label) { return storage }
            } catch .pinningRefused(let label, let byteCount, let device, let reason) {
                measured.pinningRefusal = .pinningRefused(
                    label: label, byteCount: byteCount, device: device, reason: reason)
            }
        }
        return try Storage(allocating: byteCount, label: label)
    }

    /// The staging memory that a tensor of a unit will be in.
    func view(_ slot: Int, _ range: Range<Int>, shape: Shape, dtype: DType) -> Tensor {
        let memory = buffers[slot].memory
        return Tensor(
            memory.storage, byteOffset: memory.byteOffset + range.lowerBound, shape: shape, dtype: dtype)
    }

    /// Lets the device wait for a unit's weights, and begins to copy those of the next unit.
    ///
    /// - Returns: the buffer that they are in; 0 for a unit that is not streamed.
    func enter(_ unit: UnitName) throws(TensorError) -> Int {
        guard sources[unit] != nil else { return 0 }
        let before = try backend.record()
        let held = holder(of: unit)
        let slot = if let held { held } else { try stage(unit, in: 1 - current, after: before) }
        if let ready = buffers[slot].ready {
            try backend.wait(for: ready)
            pendingWaits.append((before, try backend.record()))
        }
        current = slot
        if let following = next[unit], holder(of: following) == nil {
            _ = try stage(following, in: 1 - slot, after: before)
        }
        return slot
    }

    /// Forgets what the buffers hold, after an error.
    func reset() {
        // Its error is that of the device, which is known already.
        try? copies.synchronize()
        for index in buffers.indices { (buffers[index].unit, buffers[index].ready) = (nil, nil) }
        pendingCopies = []
        pendingWaits = []
    }

    /// Times up to now; copies and waits under way are left out.
    var timing: StreamTiming {
        settle()
        return measured
    }

    private func holder(of unit: UnitName) -> Int? { buffers.firstIndex { $0.unit == unit } }

    /// Copies a unit into a buffer once all that computes from it has run.
    private func stage(_ unit: UnitName, in slot: Int, after event: any DeviceEvent) throws(TensorError) -> Int {
        guard let weights = sources[unit] else { preconditionFailure("\(unit) has no place to be copied from") }
        try copies.wait(for: event)
        let start = copies.record()
        let memory = buffers[slot].memory
        for part in weights.parts {
            let target = memory.rows(part.offset..<part.offset + part.bytes.byteCount)
            let source = UnsafeRawBufferPointer(start: part.bytes.address, count: part.bytes.byteCount)
            try copies.upload(source, keeping: part.bytes.storage, into: target)
        }
        let end = copies.record()
        (buffers[slot].unit, buffers[slot].ready) = (unit, end)
        pendingCopies.append((start, end))
        settle()
        return slot
    }

    /// Adds up the times of what has passed.
    private func settle() {
        pendingCopies.removeAll { start, end in
            guard let time = end.elapsed(since: start) else { return false }
            measured.copying += time
            measured.copyCount += 1
            return true
        }
        pendingWaits.removeAll { start, end in
            guard let time = end.elapsed(since: start) else { return false }
            measured.waiting += time
            return true
        }
    }
}

extension Tensor {
    /// Copies the bytes within the host; pages of a mapped file go while they are read.
    func copy(to target: UnsafeMutableRawPointer) {
        let step = 4 << 20
        for start in stride(from: 0, to: byteCount, by: step) {
            let count = min(step, byteCount - start)
            (target + start).copyMemory(from: address + start, byteCount: count)
            storage.letGo(byteOffset + start..<byteOffset + start + count)
        }
    }
}

/// The bytes of a streamed unit, and where in a staging buffer they go.
struct StreamedWeights: Sendable {
    let parts: [(offset: Int, bytes: Tensor)]
}

extension UnitName {
    /// Whether the unit belongs to the vision chain.
    var isVision: Bool {
        switch self {
        case .patchEmbedding, .visionLayer, .projector: true
        default: false
        }
    }
}
