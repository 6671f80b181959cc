import CCPU

/// What this machine can do at best, measured; operations are judged by their fraction of it.
public struct MachineLimits: Sendable, Hashable {
    /// float32 multiply-adds with operands in registers, in FLOP/s over all threads.
    public let float32Rate: Double

    /// bfloat16 pair-dots with operands in registers, in FLOP/s; nil where the processor has none.
    public let bfloat16Rate: Double?

    /// Reading memory that no cache holds, in bytes/s over all threads.
    public let readRate: Double

    /// Arithmetic with activations of a type, in FLOP/s.
    public func arithmeticRate(_ dtype: DType) -> Double {
        dtype == .bfloat16 ? bfloat16Rate ?? float32Rate : float32Rate
    }

    /// Arithmetic with activations of a type at the moment, in FLOP/s: a sample of some milliseconds.
    public static func sampleArithmetic(_ backend: CPUBackend, _ dtype: DType) -> Double {
        let pair = dtype == .bfloat16 ? cc_measure_flops(backend.engine, Int32(CC_BF16), 0.005) : 0
        return pair > 0 ? pair : cc_measure_flops(backend.engine, Int32(CC_F32), 0.005)
    }

    /// Measures with the threads and kernels of a backend, for about a second.
    ///
    /// Every figure is the best of several short samples, of a millisecond where that is enough: another program
    /// on the machine can only make a sample slower.
    /// - Parameter reading: the memory to read; its own without one.
    /// - Throws: `.outOfMemory` without half a gibibyte to read.
    public static func measure(_ backend: CPUBackend, reading: ReadProbe? = nil) throws(TensorError) -> MachineLimits {
        let probe = if let reading { reading } else { try ReadProbe(backend) }
        let engine = backend.engine
        let pair = best(of: 100) { cc_measure_flops(engine, Int32(CC_BF16), 0.001) }
        return MachineLimits(
            float32Rate: best(of: 100) { cc_measure_flops(engine, Int32(CC_F32), 0.001) },
            bfloat16Rate: pair > 0 ? pair : nil,
            readRate: best(of: 32) { probe.sample() })
    }

    private static func best(of count: Int, _ sample: () -> Double) -> Double {
        (0..<count).map { _ in sample() }.max() ?? 0
    }
}
