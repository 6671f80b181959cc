// What each instruction of AVX-512 that CCPU uses does, on vectors that any processor with AVX2 can hold: avx512.sh
// compiles the kernels with these in place of the instructions. The names are those of Intel's intrinsics after the
// first underscore; the meaning is that of the "operation" in Intel's manual, written anew. A kernel that uses another
// instruction does not compile until it is defined here.
#pragma once
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define DEFINE static inline __attribute__((always_inline, target("avx2,fma,f16c")))

typedef float f32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint16_t u16x32 __attribute__((vector_size(64)));
typedef int16_t i16x32 __attribute__((vector_size(64)));
typedef int8_t i8x64 __attribute__((vector_size(64)));
typedef uint8_t u8x64 __attribute__((vector_size(64)));

// MARK: Constants, bits, sums

DEFINE __m512i mm512_setzero_si512(void) { return (__m512i){}; }
DEFINE __m512i mm512_set1_epi8(char x) { return (__m512i)((int8_t)x - (i8x64){}); }
DEFINE __m512i mm512_set_epi64(int64_t h, int64_t g, int64_t f, int64_t e, int64_t d, int64_t c, int64_t b, int64_t a) {
    return (__m512i){a, b, c, d, e, f, g, h};
}
DEFINE __m512i mm512_set1_epi16(short x) { return (__m512i)(x - (i16x32){}); }
DEFINE __m512i mm512_set1_epi32(int x) { return (__m512i)(x - (i32x16){}); }
DEFINE __m512 mm512_set1_ps(float x) { return (__m512)(x - (f32x16){}); }
DEFINE __m512 mm512_castsi512_ps(__m512i a) { return (__m512)a; }

DEFINE __m512i mm512_and_si512(__m512i a, __m512i b) { return a & b; }
DEFINE __m512i mm512_add_epi16(__m512i a, __m512i b) { return (__m512i)((u16x32)a + (u16x32)b); }
DEFINE __m512i mm512_add_epi32(__m512i a, __m512i b) { return (__m512i)((u32x16)a + (u32x16)b); }
DEFINE __m512 mm512_mul_ps(__m512 a, __m512 b) { return (__m512)((f32x16)a * (f32x16)b); }

// Shifts by the whole width or more give zeros, or signs.
DEFINE __m512i mm512_srai_epi32(__m512i a, unsigned n) { return (__m512i)((i32x16)a >> (int)(n > 31 ? 31 : n)); }
DEFINE __m512i mm512_slli_epi32(__m512i a, unsigned n) { return n > 31 ? (__m512i){} : (__m512i)((u32x16)a << n); }

DEFINE __m512i mm512_max_epu32(__m512i a, __m512i b) {
    u32x16 x = (u32x16)a, y = (u32x16)b, more = (u32x16)(x > y);
    return (__m512i)((more & x) | (~more & y));
}

DEFINE unsigned mm512_reduce_max_epu32(__m512i a) {
    unsigned most = 0;
    for (int i = 0; i < 16; i++)
        most = ((u32x16)a)[i] > most ? ((u32x16)a)[i] : most;
    return most;
}

DEFINE int mm512_reduce_add_epi32(__m512i a) {
    unsigned sum = 0;
    for (int i = 0; i < 16; i++)
        sum += ((u32x16)a)[i];
    return (int)sum;
}

// MARK: Memory

DEFINE __m512i mm512_loadu_si512(const void *p) {
    __m512i v;
    memcpy(&v, p, sizeof v);
    return v;
}

DEFINE void mm512_storeu_si512(void *p, __m512i v) { memcpy(p, &v, sizeof v); }

// Elements without a bit in the mask are zero, and are not touched in memory.
DEFINE __m512i mm512_maskz_loadu_epi16(__mmask32 mask, const void *p) {
    uint16_t element[32] = {};
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            memcpy(&element[i], (const char *)p + 2 * i, 2);
    return mm512_loadu_si512(element);
}

DEFINE __m256i mm256_maskz_loadu_epi16(__mmask16 mask, const void *p) {
    __m512i wide = mm512_maskz_loadu_epi16(mask, p);
    return _mm256_loadu_si256((const __m256i *)&wide);
}

DEFINE __m256i mm256_maskz_loadu_epi8(__mmask32 mask, const void *p) {
    uint8_t element[32] = {};
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            element[i] = ((const uint8_t *)p)[i];
    return _mm256_loadu_si256((const __m256i *)element);
}

DEFINE void mm512_mask_storeu_epi16(void *p, __mmask32 mask, __m512i v) {
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1) {
            uint16_t element = ((u16x32)v)[i];
            memcpy((char *)p + 2 * i, &element, 2);
        }
}

// MARK: Permutations

// Only the low bits of an index count: five for one table, a sixth to choose between two.
DEFINE __m512i mm512_permutex2var_epi16(__m512i a, __m512i index, __m512i b) {
    uint16_t table[64], at[32], element[32];
    memcpy(table, &a, 64), memcpy(table + 32, &b, 64), memcpy(at, &index, 64);
    for (int i = 0; i < 32; i++)
        element[i] = table[at[i] & 63];
    return mm512_loadu_si512(element);
}

DEFINE __m512i mm512_permutexvar_epi16(__m512i index, __m512i a) { return mm512_permutex2var_epi16(a, index, a); }

DEFINE __m512i mm512_permutexvar_epi64(__m512i index, __m512i a) {
    __m512i result = {};
    for (int i = 0; i < 8; i++)
        result[i] = a[index[i] & 7];
    return result;
}

DEFINE __m512i mm512_broadcast_i32x4(__m128i a) { return (__m512i){a[0], a[1], a[0], a[1], a[0], a[1], a[0], a[1]}; }

// Within each quarter: four bits of an index count, and the highest, which gives zero.
DEFINE __m512i mm512_shuffle_epi8(__m512i a, __m512i index) {
    u8x64 table = (u8x64)a, at = (u8x64)index, result = {};
    for (int i = 0; i < 64; i++)
        result[i] = at[i] & 0x80 ? 0 : table[i / 16 * 16 + (at[i] & 15)];
    return (__m512i)result;
}

// Joins the bytes of the low, or the high, half of each quarter; those of `a` come first.
DEFINE __m512i joined_bytes(__m512i a, __m512i b, int first) {
    u8x64 x = (u8x64)a, y = (u8x64)b, result = {};
    for (int i = 0; i < 32; i++) {
        int from = i / 8 * 16 + first + i % 8;
        result[2 * i] = x[from], result[2 * i + 1] = y[from];
    }
    return (__m512i)result;
}
DEFINE __m512i mm512_unpacklo_epi8(__m512i a, __m512i b) { return joined_bytes(a, b, 0); }
DEFINE __m512i mm512_unpackhi_epi8(__m512i a, __m512i b) { return joined_bytes(a, b, 8); }

// MARK: Conversions

DEFINE __m512i mm512_cvtepu16_epi32(__m256i a) {
    typedef uint16_t u16x16 __attribute__((vector_size(32)));
    return (__m512i) __builtin_convertvector((u16x16)a, u32x16);
}

DEFINE __m512i mm512_cvtepi8_epi32(__m128i a) {
    typedef int8_t i8x16 __attribute__((vector_size(16)));
    return (__m512i) __builtin_convertvector((i8x16)a, i32x16);
}

DEFINE __m512 mm512_cvtepi32_ps(__m512i a) { return (__m512)__builtin_convertvector((i32x16)a, f32x16); }

// To nearest, ties to even, as AVX2's instruction does it.
DEFINE __m512i mm512_cvtps_epi32(__m512 a) {
    __m256 half[2];
    __m256i whole[2];
    memcpy(half, &a, sizeof half);
    whole[0] = _mm256_cvtps_epi32(half[0]), whole[1] = _mm256_cvtps_epi32(half[1]);
    return mm512_loadu_si512(whole);
}

// With signed saturation.
DEFINE __m128i mm512_cvtsepi32_epi8(__m512i a) {
    int8_t element[16];
    for (int i = 0; i < 16; i++) {
        int32_t x = ((i32x16)a)[i];
        element[i] = (int8_t)(x > 127 ? 127 : x < -128 ? -128 : x);
    }
    return _mm_loadu_si128((const __m128i *)element);
}

// MARK: Floating point

// A number without exponent bits is a subnormal one, or zero: only the sign is left of it.
DEFINE f32x16 flushed(f32x16 x) {
    u32x16 bits = (u32x16)x, subnormal = (u32x16)((bits & 0x7f800000u) == 0);
    return (f32x16)(bits & (~subnormal | 0x80000000u));
}

// Two fused multiply-adds, that of the odd elements first. Rounds to nearest; takes and gives zeros for subnormal
// numbers, whatever the program's mode.
DEFINE __m512 mm512_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b) {
    f32x16 odd_a = (f32x16)((u32x16)a & 0xffff0000u), even_a = (f32x16)((u32x16)a << 16);
    f32x16 odd_b = (f32x16)((u32x16)b & 0xffff0000u), even_b = (f32x16)((u32x16)b << 16);
    f32x16 first = __builtin_elementwise_fma(flushed(odd_a), flushed(odd_b), flushed((f32x16)sum));
    return (__m512)flushed(__builtin_elementwise_fma(flushed(even_a), flushed(even_b), flushed(first)));
}

// The second operand becomes the low half. To nearest, ties to even; subnormal numbers become zeros, a NaN is quieted.
DEFINE __m512bh mm512_cvtne2ps_pbh(__m512 high, __m512 low) {
    uint16_t element[32];
    for (int i = 0; i < 32; i++) {
        float value = i < 16 ? ((f32x16)low)[i] : ((f32x16)high)[i - 16];
        uint32_t bits;
        memcpy(&bits, &value, 4);
        if (isnan(value))
            bits |= 0x400000;
        else if ((bits & 0x7f800000u) == 0)
            bits &= 0x80000000u;
        else
            bits += 0x7fff + (bits >> 16 & 1);
        element[i] = (uint16_t)(bits >> 16);
    }
    return (__m512bh)mm512_loadu_si512(element);
}

// x less x rounded to a multiple of 2^-M: M is zero and rounding downwards at every call. An infinity leaves nothing.
DEFINE f32x16 above_floor(f32x16 x) {
    f32x16 rest = x - __builtin_elementwise_floor(x);
    for (int i = 0; i < 16; i++)
        rest[i] = isinf(x[i]) ? 0 : rest[i];
    return rest;
}
#define mm512_reduce_ps(x, how)                                                                                        \
    ({                                                                                                                 \
        _Static_assert((how) == (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), "another rounding");                      \
        (__m512)above_floor((f32x16)(x));                                                                              \
    })

// x · 2^floor(n), rounded once.
DEFINE __m512 mm512_scalef_ps(__m512 x, __m512 n) {
    f32x16 y = (f32x16)x, power = __builtin_elementwise_floor((f32x16)n);
    for (int i = 0; i < 16; i++) {
        if (isnan(power[i]))
            y[i] = power[i];
        else if (isinf(power[i]))
            y[i] *= power[i] > 0 ? INFINITY : 0;
        else
            y[i] = ldexpf(y[i], power[i] > 1000 ? 1000 : power[i] < -1000 ? -1000 : (int)power[i]);
    }
    return (__m512)y;
}

// 1 / x with a relative error of at most 2^-14: here 14 bits behind the leading one are kept.
DEFINE __m512 mm512_rcp14_ps(__m512 x) {
    f32x16 y = 1 / (f32x16)x;
    for (int i = 0; i < 16; i++) {
        uint32_t bits;
        float kept = y[i];
        memcpy(&bits, &kept, 4);
        bits &= 0xfffffe00u;
        memcpy(&kept, &bits, 4);
        y[i] = isnan(y[i]) ? y[i] : kept;
    }
    return (__m512)y;
}

// MARK: Dot of bytes

// Each sum gains four products of unsigned bytes of `a` and signed bytes of `b`; it may wrap.
DEFINE __m512i mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    uint32_t total[16];
    uint8_t x[64];
    int8_t y[64];
    memcpy(total, &sum, 64), memcpy(x, &a, 64), memcpy(y, &b, 64);
    for (int i = 0; i < 64; i++)
        total[i / 4] += (uint32_t)(x[i] * y[i]);
    return mm512_loadu_si512(total);
}
