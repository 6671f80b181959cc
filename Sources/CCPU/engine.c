// Which processor this is, and the life of an engine.
#define _GNU_SOURCE
#include "engine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
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

static const cc_kernels *kernels_for(int isa) {
#if defined(__x86_64__)
    switch (isa) {
    case CC_ISA_AVX2:
        return &cc_kernels_avx2;
    case CC_ISA_AVX_VNNI:
        return &cc_kernels_avx_vnni;
    case CC_ISA_AVX512:
        return &cc_kernels_avx512;
    case CC_ISA_AVX512_BF16:
        return &cc_kernels_avx512_bf16;
    }
#elif defined(__aarch64__)
    switch (isa) {
    case CC_ISA_NEON_DOT:
        return &cc_kernels_neon_dot;
    case CC_ISA_NEON_BF16:
        return &cc_kernels_neon_bf16;
    }
#else
    (void)isa;
#endif
    return &cc_kernels_portable;
}

// Reserved, not resident: pages are taken when a product first needs them. Zero from the start, so lanes that
// no element fills hold finite numbers.
static char *reserve(ptrdiff_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
    return memory;
}

cc_engine *cc_engine_create(int threads, int isa) {
    if (threads < 1 || !cc_isa_supported(isa))
        return NULL;
    cc_engine *engine = calloc(1, sizeof(cc_engine));
    if (!engine)
        return NULL;
    engine->threads = threads;
    engine->kernels = kernels_for(isa);
    engine->shared = reserve(cc_shared_bytes);
    engine->scratch = reserve(cc_scratch_bytes * threads);
    engine->shares = aligned_alloc(_Alignof(cc_share), sizeof(cc_share) * (size_t)threads);
    engine->pool = engine->shared && engine->scratch && engine->shares ? cc_pool_create(threads) : NULL;
    if (!engine->pool) {
        cc_engine_destroy(engine);
        return NULL;
    }
    return engine;
}

void cc_engine_destroy(cc_engine *engine) {
    if (engine->pool)
        cc_pool_destroy(engine->pool);
    if (engine->shared)
        munmap(engine->shared, (size_t)cc_shared_bytes);
    if (engine->scratch)
        munmap(engine->scratch, (size_t)(cc_scratch_bytes * engine->threads));
    free(engine->shares);
    free(engine);
}

ptrdiff_t cc_row_limit(void) { return 1 << 18; }

ptrdiff_t cc_head_limit(void) { return cc_block_words; }
