// Kernels for arm64 processors with the matrix instructions of ARMv8.6 for bfloat16 and bytes (bf16 and i8mm): those of
// processors with the dot of bytes, but for packed bfloat16, fp8, int8 and int4.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 16
#define CC_TABLE cc_kernels_neon_bf16
#define CC_BYTES bytes_mmla
#define CC_HAS_PACKED_BF16 1
#define HIDE(v) __asm__ volatile("" : "+w"(v))

#pragma clang attribute push(__attribute__((target("dotprod,bf16,i8mm"))), apply_to = function)
#include "packed_bf16_neon.h"
#include "packed_int_mmla.h"
#include "spin.h"

static double spin_bf16(long turns) {
    float32x4_t sum[2 * spin_sums] = {};
    bfloat16x8_t x = vreinterpretq_bf16_u16(vdupq_n_u16(0x3c00)), y = vreinterpretq_bf16_u16(vdupq_n_u16(0x3c01));
    for (long turn = 0; turn < turns; turn++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 2 * spin_sums; i++)
            sum[i] = vbfmmlaq_f32(sum[i], x, y);
        HIDE(x);
        HIDE(y);
    }
    for (int i = 0; i < 2 * spin_sums; i++)
        HIDE(sum[i]);
    return 32.0 * 2 * spin_sums * (double)turns;
}

#include "table.h"
#pragma clang attribute pop
#endif
