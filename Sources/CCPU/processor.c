// Which processor this is: its instruction sets, and how it likes to read.
#define _GNU_SOURCE
#include "processor.h"

#include "CCPU.h"

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)
// Bit 4 of EAX in leaf 7, subleaf 1: older libraries of compilers do not ask for it.
static int has_avx_vnni(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

int cc_isa_supported(int isa) {
    if (isa == CC_ISA_PORTABLE)
        return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    switch (isa) {
    case CC_ISA_AVX2:
        return avx2;
    case CC_ISA_AVX_VNNI:
        return avx2 && has_avx_vnni();
    case CC_ISA_AVX512:
        return avx512;
    case CC_ISA_AVX512_BF16:
        // Every processor with the first has the second.
        return avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    }
#elif defined(__aarch64__)
    int dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
    unsigned long matrix = HWCAP2_BF16 | HWCAP2_I8MM;
    switch (isa) {
    case CC_ISA_NEON_DOT:
        return dot;
    case CC_ISA_NEON_BF16:
        return dot && (getauxval(AT_HWCAP2) & matrix) == matrix;
    }
#endif
    return 0;
}

int cc_available_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

#if defined(__x86_64__)
// Whether this is AMD's Zen 5, or what came after it: family 26 and above.
static int is_zen5(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx)
        return 0;
    __get_cpuid(1, &a, &b, &c, &d);
    unsigned family = a >> 8 & 15, extension = a >> 20 & 255;
    return family == 15 && family + extension >= 26;
}
#endif

// Only measured, see Benchmarks/LOG.md: Zen 5 reads up to 1.4 times as fast, Zen 3 a little faster; on Zen 4 asking makes
// reading slower. Others have what was measured on the nearest of these.
ptrdiff_t cc_bytes_ahead(void) {
#if defined(__x86_64__)
    if (is_zen5())
        return 8192;
    return cc_isa_supported(CC_ISA_AVX512) ? 0 : 1024;
#else
    return 4096;
#endif
}
