// The life of an engine.
#define _GNU_SOURCE
#include "engine.h"
#include "processor.h"

#include <stdlib.h>
#include <sys/mman.h>

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
    engine->ahead = cc_bytes_ahead();
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
