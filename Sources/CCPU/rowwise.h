// Kernels that work along one row: conversion, elementwise functions, norms. See simd.h.
#pragma once
#include "simd.h"

// Applies `body` to every index of a row: whole vectors, then the remainder with `count_here` lanes.
#define FOR_ROW(count, whole, rest)                                                                                    \
    do {                                                                                                               \
        ptrdiff_t i = 0;                                                                                               \
        for (; i + LANES <= (count); i += LANES) {                                                                     \
            whole;                                                                                                     \
        }                                                                                                              \
        ptrdiff_t left = (count) - i;                                                                                  \
        if (left > 0) {                                                                                                \
            rest;                                                                                                      \
        }                                                                                                              \
    } while (0)

INLINE void widen_typed(float *y, const void *x, int type, ptrdiff_t count) {
    FOR_ROW(count, store(y + i, load_as(x, type, i)), store_some(y, CC_F32, i, left, load_some(x, type, i, left, 0)));
}

static void widen(float *y, const void *x, int type, ptrdiff_t count) {
    if (type == CC_F32)
        memcpy(y, x, (size_t)count * 4);
    else if (type == CC_BF16)
        widen_typed(y, x, CC_BF16, count);
    else
        widen_typed(y, x, CC_F16, count);
}

INLINE void narrow_typed(void *y, int type, const float *x, ptrdiff_t count) {
    FOR_ROW(count, store_as(y, type, i, load(x + i)), store_some(y, type, i, left, load_some(x, CC_F32, i, left, 0)));
}

static void narrow(void *y, int type, const float *x, ptrdiff_t count) {
    if (type == CC_F32)
        memcpy(y, x, (size_t)count * 4);
    else if (type == CC_BF16)
        narrow_typed(y, CC_BF16, x, count);
    else
        narrow_typed(y, CC_F16, x, count);
}

static void add(float *y, const float *x, ptrdiff_t count) {
    FOR_ROW(count, store(y + i, load(y + i) + load(x + i)),
            store_some(y, CC_F32, i, left, load_some(y, CC_F32, i, left, 0) + load_some(x, CC_F32, i, left, 0)));
}

static void scale(float *x, float factor, ptrdiff_t count) {
    FOR_ROW(count, store(x + i, load(x + i) * splat(factor)),
            store_some(x, CC_F32, i, left, load_some(x, CC_F32, i, left, 0) * splat(factor)));
}

static void gelu(float *x, ptrdiff_t count) {
    FOR_ROW(count, store(x + i, gelu_of(load(x + i))),
            store_some(x, CC_F32, i, left, gelu_of(load_some(x, CC_F32, i, left, 0))));
}

static void gated_silu(float *gate, const float *up, ptrdiff_t count) {
    FOR_ROW(count, store(gate + i, silu_of(load(gate + i)) * load(up + i)),
            store_some(gate, CC_F32, i, left,
                       silu_of(load_some(gate, CC_F32, i, left, 0)) * load_some(up, CC_F32, i, left, 0)));
}

// MARK: Norms

static void rms_norm(float *x, const float *weight, ptrdiff_t count, float epsilon) {
    vf squares = {};
    FOR_ROW(count, vf v = load(x + i); squares += v * v, vf v = load_some(x, CC_F32, i, left, 0); squares += v * v);
    vf factor = splat(1.0f / sqrtf(sum_lanes(squares) / (float)count + epsilon));
    FOR_ROW(count, store(x + i, load(weight + i) * (load(x + i) * factor)),
            store_some(x, CC_F32, i, left,
                       load_some(weight, CC_F32, i, left, 0) * (load_some(x, CC_F32, i, left, 0) * factor)));
}

// Two passes: the variance of differences from the mean does not cancel.
static void layer_norm(float *x, const float *weight, const float *bias, ptrdiff_t count, float epsilon) {
    vf sum = {};
    FOR_ROW(count, sum += load(x + i), sum += load_some(x, CC_F32, i, left, 0));
    float center = sum_lanes(sum) / (float)count;
    vf mean = splat(center);
    vf squares = {};
    FOR_ROW(count, vf d = load(x + i) - mean; squares += d * d, vf d = load_some(x, CC_F32, i, left, center) - mean;
            squares += d * d);
    vf factor = splat(1.0f / sqrtf(sum_lanes(squares) / (float)count + epsilon));
    FOR_ROW(count, store(x + i, (load(x + i) - mean) * factor * load(weight + i) + load(bias + i)),
            store_some(x, CC_F32, i, left,
                       (load_some(x, CC_F32, i, left, 0) - mean) * factor * load_some(weight, CC_F32, i, left, 0) +
                           load_some(bias, CC_F32, i, left, 0)));
}

// MARK: End of a product

INLINE vf finished(vf sum, int epilogue, const void *y, int type, ptrdiff_t i, ptrdiff_t left) {
#if CC_VECTOR_BYTES == 64
    if (epilogue == CC_GELU && type == CC_BF16)
        return gelu_bf16(sum);
#endif
    if (epilogue == CC_GELU)
        return gelu_of(sum);
    if (epilogue == CC_ADD)
        return sum + (left == LANES ? load_as(y, type, i) : load_some(y, type, i, left, 0));
    return sum;
}

INLINE void finish_typed(const float *sums, const float *bias, int epilogue, void *y, int type, ptrdiff_t count) {
    FOR_ROW(
        count, vf v = load(sums + i); if (bias) v += load(bias + i);
        store_as(y, type, i, finished(v, epilogue, y, type, i, LANES)), vf v = load_some(sums, CC_F32, i, left, 0);
        if (bias) v += load_some(bias, CC_F32, i, left, 0);
        store_some(y, type, i, left, finished(v, epilogue, y, type, i, left)));
}

static void finish(const float *sums, const float *bias, int epilogue, void *y, int type, ptrdiff_t count) {
    if (type == CC_F32) {
        if (epilogue == CC_STORE)
            finish_typed(sums, bias, CC_STORE, y, CC_F32, count);
        else if (epilogue == CC_GELU)
            finish_typed(sums, bias, CC_GELU, y, CC_F32, count);
        else
            finish_typed(sums, bias, CC_ADD, y, CC_F32, count);
    } else {
        if (epilogue == CC_STORE)
            finish_typed(sums, bias, CC_STORE, y, CC_BF16, count);
        else if (epilogue == CC_GELU)
            finish_typed(sums, bias, CC_GELU, y, CC_BF16, count);
        else
            finish_typed(sums, bias, CC_ADD, y, CC_BF16, count);
    }
}

// MARK: Checks

// An element is NaN or infinite when every bit of its exponent is set.
static int has_non_finite(const void *x, int type, ptrdiff_t count) {
    uint32_t found = 0;
    if (type == CC_F32) {
        for (ptrdiff_t i = 0; i < count; i++)
            found |= (((const uint32_t *)x)[i] & 0x7f800000u) == 0x7f800000u;
    } else {
        uint16_t mask = type == CC_BF16 ? 0x7f80 : 0x7c00;
        for (ptrdiff_t i = 0; i < count; i++)
            found |= (((const uint16_t *)x)[i] & mask) == mask;
    }
    return found != 0;
}
