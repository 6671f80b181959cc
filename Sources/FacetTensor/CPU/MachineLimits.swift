import CCPU

/// What this machine can do at best, measured; operations are judged by their fraction of it.
public struct MachineLimits: Sendable, Hashable {
    /// float32 multiply-adds with operands in registers, in FLOP/s over all threads.
    public let float32Rate: Double

    /// bfloat16 pair-dots with operands in registers, in FLOP/s; nil where the processor has none.
    public let bfloat16Rate: Double?

    /// Reading memory that no cache holds, in bytes/s over all threads.
    public let readRate: Double

    /// Bytes that a measurement of the read rate goes over: far more than caches hold.
    public static let readByteCount = 512 << 20

    /// Bytes of one sample of the read rate.
    private static let partByteCount = 32 << 20

    /// Measures with the threads and kernels of a backend, for about a second.
    ///
    /// Every figure is the best of several short samples, of a millisecond where that is enough: another program
    /// on the machine can only make a sample slower.
    /// - Throws: `.outOfMemory` without half a gibibyte to read.
    public static func measure(_ backend: CPUBackend) throws(TensorError) -> MachineLimits {
        let memory = try Storage(allocating: readByteCount, label: "measurement of the read rate")
        let engine = backend.engine
        // A part at a time, the others between two visits, so that no cache holds it.
        var part = 0
        func next() -> Int {
            part = (part + 1) % (readByteCount / partByteCount)
            return part * partByteCount
        }
        let pair = best(of: 100) { cc_measure_flops(engine, Int32(CC_BF16), 0.001) }
        return MachineLimits(
            float32Rate: best(of: 100) { cc_measure_flops(engine, Int32(CC_F32), 0.001) },
            bfloat16Rate: pair > 0 ? pair : nil,
            readRate: best(of: 32) { cc_measure_read(engine, memory.base + next(), partByteCount) })
    }

    private static func best(of count: Int, _ sample: () -> Double) -> Double {
        (0..<count).map { _ in sample() }.max() ?? 0
    }
}
