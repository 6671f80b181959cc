import CCPU

/// A family of vector instructions that the CPU kernels are compiled for.
///
/// Each includes the ones before it on its architecture, but for `avxvnni`, which `avx512` need not have. Which
/// one runs is decided when a backend is made, so one executable serves every processor.
public enum InstructionSet: String, Sendable, Hashable, CaseIterable {
    /// What every processor of the architecture has: SSE2 or NEON.
    case portable
    /// AVX2, FMA and F16C.
    case avx2
    /// AVX2 with `vpdpbusd`, which multiplies quadruples of bytes (AVX-VNNI).
    case avxvnni
    /// AVX-512 F, BW, VL and DQ.
    case avx512
    /// AVX-512 with `vdpbf16ps`, which multiplies bfloat16 pairs.
    case avx512bf16
    /// NEON with `sdot`, which multiplies quadruples of bytes (ARMv8.2).
    case neondot
    /// NEON with `bfmmla` and `smmla`, which multiply 2 × 2 blocks of bfloat16 and of bytes (ARMv8.6).
    case neonbf16

    /// Whether this processor has it.
    public var isSupported: Bool { cc_isa_supported(code) != 0 }

    /// The widest one that this processor has.
    public static var best: InstructionSet { allCases.last { $0.isSupported } ?? .portable }

    /// Number of the set in the C interface.
    var code: Int32 {
        let code =
            switch self {
            case .portable: CC_ISA_PORTABLE
            case .avx2: CC_ISA_AVX2
            case .avxvnni: CC_ISA_AVX_VNNI
            case .avx512: CC_ISA_AVX512
            case .avx512bf16: CC_ISA_AVX512_BF16
            case .neondot: CC_ISA_NEON_DOT
            case .neonbf16: CC_ISA_NEON_BF16
            }
        return Int32(code)
    }
}
