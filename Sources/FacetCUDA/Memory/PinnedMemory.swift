import CCUDA

/// Host memory that a card reads and writes by itself, while the processor does something else.
///
/// `@unchecked`: the address never changes; whoever uses the bytes waits for the streams that do.
final class PinnedMemory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    private let context: CUDAContext

    /// Takes pinned memory that every card may use.
    ///
    /// - Throws: `.callFailed`; the system limits how much may be pinned.
    init(_ context: CUDAContext, byteCount: Int) throws(CUDAError) {
        var address: UnsafeMutableRawPointer?
        try context.call("cuMemHostAlloc") {
            $0.pointee.memHostAlloc(&address, byteCount, UInt32(CU_MEMHOSTALLOC_PORTABLE))
        }
        guard let address else {
            throw .callFailed(
                device: context.device, call: "cuMemHostAlloc", result: "no memory", reason: "the driver is faulty")
        }
        base = address
        self.byteCount = byteCount
        self.context = context
    }

    /// Whether all of some bytes lie here.
    func contains(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        let offset = start - UnsafeRawPointer(base)
        return offset >= 0 && offset + bytes.count <= byteCount
    }

    deinit { context.release { $0.pointee.memFreeHost(base) } }
}
