// Kernels for AVX-512 with the bfloat16 pair-dot and the dot of bytes (VNNI).
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 64
#define CC_TABLE cc_kernels_avx512_bf16
#define CC_BYTES bytes_vnni
#define CC_HAS_BF16_DOT 1
#define CC_HAS_PACKED_BF16 1
#define HIDE(v) __asm__ volatile("" : "+v"(v))

#pragma clang attribute push(                                                                                         \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni"))), apply_to = function)
#include "packed_bf16.h"
#include "packed_int.h"
#include "product_bf16.h"
#include "spin.h"

// On Zen 5, which begins two in a cycle, 12 sums keep it busy for 93 % of the time only.
enum { spin_pair_sums = 24 };

static double spin_bf16(long turns) {
    vf sum[spin_pair_sums] = {};
    vi x = (vi)splat_bits(0x3c003c00), y = (vi)splat_bits(0x3c013c01);
    for (long turn = 0; turn < turns; turn++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < spin_pair_sums; i++)
            sum[i] = dot_pairs(sum[i], x, y);
        HIDE(x);
        HIDE(y);
    }
    for (int i = 0; i < spin_pair_sums; i++)
        HIDE(sum[i]);
    return 4.0 * LANES * spin_pair_sums * (double)turns;
}

#include "table.h"
#pragma clang attribute pop
#endif
