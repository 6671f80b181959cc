// Kernels for AVX2, FMA and F16C with the dot of bytes in vectors of 32 bytes (AVX-VNNI): those of AVX2, but for bytes.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 32
#define CC_TABLE cc_kernels_avx_vnni
#define CC_BYTES cc_bytes_avx_vnni
#define CC_DOT_BYTES(sum, weights, row) _mm256_dpbusd_avx_epi32(sum, weights, row)
#define HIDE(v) __asm__ volatile("" : "+x"(v))

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "packed_int_avx2.h"
#include "table.h"
#pragma clang attribute pop
#endif
