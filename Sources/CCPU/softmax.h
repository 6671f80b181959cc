// The online softmax (Milakov and Gimelshein 2018), one row and one block of keys at a time.
#pragma once
#include "rowwise.h"

#ifdef CC_HAS_BF16_DOT
#define STORE_PROBABILITY_BF16(p, i, v)                                                                                \
    do {                                                                                                               \
        __m256bh half = _mm512_cvtneps_pbh((__m512)(v));                                                               \
        memcpy((uint16_t *)(p) + (i), &half, sizeof half);                                                             \
    } while (0)
#else
#define STORE_PROBABILITY_BF16(p, i, v) store_as(p, CC_BF16, i, v)
#endif

// Replaces `valid` scores by e^(scale · score - maximum), stored as `type`, and zeros up to `padded`; raises the
// row's maximum, and scales what the row has gathered so far (total, output) to the new one.
//
// A bfloat16 row is half as long as the scores it replaces, so writing never overtakes reading. A block without
// valid keys changes nothing: whether it is computed at all may depend on other rows.
INLINE void softmax_typed(float *scores, int type, ptrdiff_t valid, ptrdiff_t padded, float factor, float *maximum,
                          float *total, float *output, ptrdiff_t width) {
    if (valid <= 0) {
        memset(scores, 0, (size_t)(padded * cc_element_bytes(type)));
        return;
    }
    ptrdiff_t whole = cc_ceil_div(valid, LANES) * LANES;
    for (ptrdiff_t i = valid; i < whole; i++)
        scores[i] = -INFINITY;
    vf largest = load(scores);
    for (ptrdiff_t i = LANES; i < whole; i += LANES)
        largest = larger(largest, load(scores + i));
    float before = *maximum, after = largest_lane(largest) * factor;
    after = after > before ? after : before;
    vf sum = {};
    for (ptrdiff_t i = 0; i < whole; i += LANES) {
        vf p = exponential(load(scores + i) * splat(factor) - splat(after));
        sum += p;
        if (type == CC_F32)
            store(scores + i, p);
        else
            STORE_PROBABILITY_BF16(scores, i, p);
    }
    if (padded > whole)
        memset((char *)scores + whole * cc_element_bytes(type), 0, (size_t)((padded - whole) * cc_element_bytes(type)));
    if (after != before) {
        float shrink = exponential(splat(before - after))[0];
        *total *= shrink;
        for (ptrdiff_t i = 0; i < width; i += LANES)
            store(output + i, load(output + i) * splat(shrink));
        *maximum = after;
    }
    *total += sum_lanes(sum);
}

static void softmax_f32(float *scores, ptrdiff_t valid, ptrdiff_t padded, float factor, float *maximum, float *total,
                        float *output, ptrdiff_t width) {
    softmax_typed(scores, CC_F32, valid, padded, factor, maximum, total, output, width);
}
