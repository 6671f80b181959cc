import CCPU

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Memory that is read to know how fast reading is at the moment: on shared machines that changes within seconds.
public final class ReadProbe {
    /// Bytes of one sample, read in about a millisecond.
    public static let sampleByteCount = 32 << 20

    /// Bytes of all samples that differ: far more than caches hold.
    private static let byteCount = 512 << 20

    private let backend: CPUBackend
    private let memory: Storage
    private var start = 0

    /// Takes the memory and fills it; `backend` has the threads that read.
    /// - Throws: `.outOfMemory` without half a gibibyte.
    public init(_ backend: CPUBackend) throws(TensorError) {
        self.backend = backend
        memory = try Storage(
            allocating: Self.byteCount, device: .cpu, label: "measurement of the read rate", account: nil,
            isZeroed: false)
        // As packed weights have them: reading through small pages would be slower than what it judges.
        cc_prefer_huge_pages(memory.base, Self.byteCount)
        memset(memory.base, 1, Self.byteCount)
    }

    /// Reads the next part, which no cache holds as all others were read since; bytes/s over all threads.
    public func sample() -> Double {
        start = (start + Self.sampleByteCount) % Self.byteCount
        return cc_measure_read(backend.engine, memory.base + start, Self.sampleByteCount)
    }
}
