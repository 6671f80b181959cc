// Vectors of CC_VECTOR_BYTES and the functions on them that every kernel family uses.
//
// This file and the kernel headers are compiled once per instruction set: isa_*.c defines CC_VECTOR_BYTES,
// opens the target, and includes them. The code is the same; the compiler chooses the instructions.
#pragma once
#include "kernels.h"
#include <math.h>
#include <string.h>

#define LANES (CC_VECTOR_BYTES / 4)
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(CC_VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(CC_VECTOR_BYTES)));
typedef uint32_t vu __attribute__((vector_size(CC_VECTOR_BYTES)));
typedef uint16_t vh __attribute__((vector_size(CC_VECTOR_BYTES / 2)));

INLINE vf splat(float x) { return x - (vf){}; }
INLINE vu splat_bits(uint32_t x) { return x - (vu){}; }
INLINE vf choose(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }

// The comparison is written so that a NaN in `x` comes through.
INLINE vf at_least(vf x, float low) { return choose(x < splat(low), splat(low), x); }
INLINE vf at_most(vf x, float high) { return choose(x > splat(high), splat(high), x); }
INLINE vf larger(vf a, vf b) { return choose(b > a, b, a); }

INLINE vf load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vf v) { memcpy(p, &v, sizeof v); }

// MARK: 16-bit floats

INLINE vf widen_bf16(vu bits) { return (vf)(bits << 16); }

// Rounds to nearest, ties to even; a NaN stays a NaN (quieted).
INLINE vu round_bf16(vf v) {
    vu bits = (vu)v;
    vu rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    vu quiet = (bits >> 16) | 0x40;
    vu nan = (vu)(v != v);
    return (nan & quiet) | (~nan & rounded);
}

// Shifting a half's exponent and fraction into place leaves a number 2^112 too small, subnormals included.
INLINE vf widen_f16(vu bits) {
    vu magnitude = (bits & 0x7fff) << 13;
    vf value = (vf)magnitude * splat(0x1p112f);
    vu special = (vu)(magnitude >= splat_bits(0x7c00u << 13));
    vu infinite = magnitude | 0x7f800000u;
    return (vf)((special & infinite) | (~special & (vu)value) | ((bits & 0x8000) << 16));
}

INLINE float widen_one(const void *p, int type, ptrdiff_t i) {
    if (type == CC_F32)
        return ((const float *)p)[i];
    vu bits = splat_bits(((const uint16_t *)p)[i]);
    return type == CC_BF16 ? widen_bf16(bits)[0] : widen_f16(bits)[0];
}

INLINE vf load_as(const void *p, int type, ptrdiff_t i) {
    if (type == CC_F32)
        return load((const float *)p + i);
    vh half;
    memcpy(&half, (const uint16_t *)p + i, sizeof half);
    vu bits = __builtin_convertvector(half, vu);
    return type == CC_BF16 ? widen_bf16(bits) : widen_f16(bits);
}

static inline uint16_t round_f16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return sign | 0x7e00;
    if (bits >= 0x477ff000) // 65520: halfway between the largest half and the next
        return sign | 0x7c00;
    if (bits < 0x38800000) { // below 2^-14: adding 0.5 rounds at the weight of a subnormal half's last bit
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, 4);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    return sign | (uint16_t)((bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13);
}

INLINE void store_as(void *p, int type, ptrdiff_t i, vf v) {
    if (type == CC_F32) {
        store((float *)p + i, v);
    } else if (type == CC_BF16) {
        vh half = __builtin_convertvector(round_bf16(v), vh);
        memcpy((uint16_t *)p + i, &half, sizeof half);
    } else {
        for (int lane = 0; lane < LANES; lane++)
            ((uint16_t *)p)[i + lane] = round_f16(v[lane]);
    }
}

// MARK: Rows with a remainder
//
// Kernels run whole vectors and then one vector of the remainder, padded with a neutral value.

INLINE vf load_some(const void *p, int type, ptrdiff_t i, ptrdiff_t count, float neutral) {
    vf v = splat(neutral);
    for (ptrdiff_t lane = 0; lane < count; lane++)
        v[lane] = widen_one(p, type, i + lane);
    return v;
}

INLINE void store_some(void *p, int type, ptrdiff_t i, ptrdiff_t count, vf v) {
    char bytes[CC_VECTOR_BYTES];
    store_as(bytes, type, 0, v);
    memcpy((char *)p + i * cc_element_bytes(type), bytes, (size_t)(count * cc_element_bytes(type)));
}

// MARK: Reductions, in a fixed order

INLINE float sum_lanes(vf v) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            v[lane] += v[lane + half];
    return v[0];
}

INLINE float largest_lane(vf v) {
    float largest = v[0];
    for (int lane = 1; lane < LANES; lane++)
        largest = v[lane] > largest ? v[lane] : largest;
    return largest;
}

// MARK: Functions

// e^x to about 1 unit in the last place; 0 below -87.3, infinite above 88.7.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; a polynomial of degree 6 for e^r; 2^n is applied in two steps because
// n may be 128.
INLINE vf exponential(vf x) {
    const float magic = 12582912.0f; // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
    vf limited = at_most(at_least(x, -87.33654f), 88.72284f);
    vf shifted = limited * splat(1.44269504f) + splat(magic);
    vi n = (vi)shifted - (vi)splat(magic);
    vf whole = shifted - splat(magic);
    vf r = limited - whole * splat(0.693359375f);
    r = r + whole * splat(2.12194440e-4f);
    vf p = splat(1.9875691500e-4f);
    p = p * r + splat(1.3981999507e-3f);
    p = p * r + splat(8.3334519073e-3f);
    p = p * r + splat(4.1665795894e-2f);
    p = p * r + splat(1.6666665459e-1f);
    p = p * r + splat(5.0000001201e-1f);
    p = p * (r * r) + r;
    p = p + splat(1.0f);
    vi half = n >> 1;
    vf result = p * (vf)((half + 127) << 23) * (vf)((n - half + 127) << 23);
    result = choose(x < splat(-87.33654f), splat(0.0f), result);
    return choose(x > splat(88.72284f), splat(INFINITY), result);
}

// x Φ(x), Φ the normal distribution: the exact GELU, accurate in the negative tail too.
//
// The tail 1 - Φ(t) = e^(-t²/2) R(t) with a smooth R, fitted for t in [0, 13.5] as a polynomial of degree 9
// in 1 / (1 + t/4), mapped to [-1, 1]; largest relative error of the fit 1.3e-8.
INLINE vf gelu_of(vf x) {
    vf t = (vf)((vu)x & 0x7fffffffu);
    vf v = splat(70.0f / 27.0f) / (t * splat(0.25f) + splat(1.0f)) - splat(43.0f / 27.0f);
    vf p = splat(6.515167569887126e-06f);
    p = p * v + splat(-4.1313555811895293e-06f);
    p = p * v + splat(-1.3728822523262352e-04f);
    p = p * v + splat(-1.5396995877381114e-04f);
    p = p * v + splat(2.288514981046319e-03f);
    p = p * v + splat(1.4403006061911583e-02f);
    p = p * v + splat(4.7936223447322845e-02f);
    p = p * v + splat(1.0964818298816681e-01f);
    p = p * v + splat(1.8521016836166382e-01f);
    p = p * v + splat(1.408027708530426e-01f);
    vf tail = exponential(t * t * splat(-0.5f)) * p;
    vf upper = x - x * tail;
    vf lower = x * tail;
    // -inf · 0 would be NaN; the limit is 0.
    lower = choose(x < splat(-38.0f), splat(-0.0f), lower);
    upper = choose(x > splat(38.0f), x, upper);
    return choose(x < splat(0.0f), lower, upper);
}

// x / (1 + e^-x); the limit at -inf is 0.
INLINE vf silu_of(vf x) {
    vf y = x / (splat(1.0f) + exponential(-x));
    return choose(x < splat(-104.0f), splat(-0.0f), y);
}

// MARK: Functions whose results become bfloat16

#if CC_VECTOR_BYTES == 64
// 2^x to a relative 2.6e-6, far below the rounding to bfloat16: floor, fraction, degree 4. Below 2^-126 subnormal, then 0.
INLINE vf power_of_two_bf16(vf x) {
    vf r = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = splat(1.353416797e-2f);
    p = p * r + splat(5.201146230e-2f);
    p = p * r + splat(2.414427544e-1f);
    p = p * r + splat(6.930038354e-1f);
    p = p * r + splat(1.000002593f);
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// 1 / x to a relative 4e-9 before rounding, for normal x.
INLINE vf reciprocal_bf16(vf x) {
    vf guess = (vf)_mm512_rcp14_ps((__m512)x);
    return guess * (splat(2.0f) - x * guess);
}

// As `gelu_of`, to a relative 5e-6 of the tail: R as a polynomial of degree 6 in 1 / (1 + 0.3 t), fitted for t in [0, 14]
// with a relative error of 1.9e-6. Beyond 14 the tail is below the smallest bfloat16.
INLINE vf gelu_bf16(vf x) {
    vf t = at_most((vf)((vu)x & 0x7fffffffu), 14.0f);
    vf u = reciprocal_bf16(t * splat(0.3f) + splat(1.0f));
    vf p = splat(-8.459325517e-2f);
    p = p * u + splat(2.405728858e-1f);
    p = p * u + splat(-4.864456325e-2f);
    p = p * u + splat(1.647645850e-1f);
    p = p * u + splat(1.067044873e-1f);
    p = p * u + splat(1.212747092e-1f);
    p = p * u + splat(-7.978992821e-5f);
    vf tail = power_of_two_bf16(t * t * splat(-0.72134752f)) * p;
    return at_least(x, 0.0f) - t * tail;
}
#endif
