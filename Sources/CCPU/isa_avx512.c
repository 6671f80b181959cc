// Kernels for AVX-512 F, BW, VL and DQ.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 64
#define CC_TABLE cc_kernels_avx512
#define CC_BYTES cc_bytes_avx2
#define HIDE(v) __asm__ volatile("" : "+v"(v))

#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#include "table.h"
#pragma clang attribute pop
#endif
