// Kernels for AVX2, FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 32
#define CC_TABLE cc_kernels_avx2
#define CC_BYTES cc_bytes_avx2
#define HIDE(v) __asm__ volatile("" : "+x"(v))

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "packed_int_avx2.h"
#include "table.h"
#pragma clang attribute pop
#endif
