// The engine's parts, for the drivers.
#pragma once
#include "kernels.h"
#include "pool.h"
#include "shares.h"

struct cc_engine {
    cc_pool *pool;
    const cc_kernels *kernels;
    int threads;
    char *shared;     // shared_bytes, written by one region and read by the next
    char *scratch;    // scratch_bytes per thread
    cc_share *shares; // one per thread
    ptrdiff_t ahead;  // how far ahead memory is asked for that is read once, or 0; see processor.h
};

// Rows of a product's left operand, in the layout of kernels.h.
static const ptrdiff_t cc_shared_bytes = 32 << 20;
// Panels, sums and rows that one thread works on.
static const ptrdiff_t cc_scratch_bytes = 4 << 20;

static inline char *cc_scratch(const cc_engine *engine, int thread) {
    return engine->scratch + thread * cc_scratch_bytes;
}
