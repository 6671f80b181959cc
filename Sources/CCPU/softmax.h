// The softmax over a block of keys (Milakov and Gimelshein 2018), one query per lane: no sum across lanes.
#pragma once
#include "rowwise.h"

// 2^x for x <= 0, to about 1 unit in the last place; 0 below 2^-126. The base is 2 because the factor of the scores
// absorbs log2 e. The polynomial's relative error on [-1/2, 1/2] is 1.9e-9.
INLINE vf power_of_two(vf x) {
    const float magic = 12582912.0f; // as in `exponential`
    vf limited = at_least(x, -127.0f);
    vf shifted = limited + splat(magic);
    vf r = limited - (shifted - splat(magic));
    vf p = splat(1.534581202e-4f);
    p = p * r + splat(1.339993136e-3f);
    p = p * r + splat(9.618488958e-3f);
    p = p * r + splat(5.550328777e-2f);
    p = p * r + splat(2.402264689e-1f);
    p = p * r + splat(6.931472057e-1f);
    p = p * r + splat(1.0f);
    vi n = (vi)shifted - (vi)splat(magic);
    return p * (vf)((n + 127) << 23);
}

#ifdef CC_HAS_BF16_DOT
// Words of bfloat16 pairs: lane i of `first` beside lane i of `second`.
INLINE void store_pairs(void *words, vf first, vf second) {
    static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    _mm512_storeu_si512(words, _mm512_permutexvar_epi16(_mm512_loadu_si512(order), both));
}
#endif

// Hides the keys that a query does not see: `limit[lane]` keys are visible to a lane.
INLINE void hide_keys(float *scores, ptrdiff_t keys, const int32_t *limit) {
    int32_t least = limit[0];
    for (int lane = 1; lane < cc_panel_width; lane++)
        least = limit[lane] < least ? limit[lane] : least;
    for (ptrdiff_t i = cc_max(least, 0); i < keys; i++)
        for (int lane = 0; lane < cc_panel_width; lane += LANES) {
            vi visible;
            memcpy(&visible, limit + lane, sizeof visible);
            float *score = scores + i * cc_panel_width + lane;
            store(score, choose(visible > (vi)splat_bits((uint32_t)i), load(score), splat(-INFINITY)));
        }
}

INLINE void scale_keys(float *scores, ptrdiff_t keys, const float *scales) {
    for (ptrdiff_t i = 0; i < keys; i++)
        for (int lane = 0; lane < cc_panel_width; lane += LANES) {
            float *score = scores + i * cc_panel_width + lane;
            store(score, load(score) * splat(scales[i]));
        }
}

INLINE vf largest_of_lanes(const float *scores, ptrdiff_t keys) {
    vf largest[4];
    for (int i = 0; i < 4; i++)
        largest[i] = splat(-INFINITY);
    ptrdiff_t i = 0;
    for (; i + 4 <= keys; i += 4)
        for (int j = 0; j < 4; j++)
            largest[j] = larger(largest[j], load(scores + (i + j) * cc_panel_width));
    for (; i < keys; i++)
        largest[0] = larger(largest[0], load(scores + i * cc_panel_width));
    return larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
}

#ifdef CC_HAS_BF16_DOT
// Probabilities of pairs of keys, in place; returns the sum. `values` is null or a constant scale for each key.
INLINE vf probabilities_bf16(float *scores, ptrdiff_t keys, vf factor, vf base, const float *values) {
    vf sums[2] = {};
    ptrdiff_t i = 0;
#pragma clang loop unroll_count(4)
    for (; i + 2 <= keys; i += 2) {
        vf first = power_of_two_bf16(load(scores + i * cc_panel_width) * factor - base);
        vf second = power_of_two_bf16(load(scores + (i + 1) * cc_panel_width) * factor - base);
        sums[0] += first;
        sums[1] += second;
        if (values)
            store_pairs(scores + i / 2 * cc_panel_width, first * splat(values[i]), second * splat(values[i + 1]));
        else
            store_pairs(scores + i / 2 * cc_panel_width, first, second);
    }
    if (i < keys) {
        vf first = power_of_two_bf16(load(scores + i * cc_panel_width) * factor - base);
        sums[0] += first;
        store_pairs(scores + i / 2 * cc_panel_width, values ? first * splat(values[i]) : first, (vf){});
    }
    return sums[0] + sums[1];
}
#endif

INLINE vf probabilities_f32(float *scores, ptrdiff_t keys, vf factor, vf base, const float *values) {
    vf sums[2] = {};
    for (ptrdiff_t i = 0; i < keys; i++) {
        vf p = power_of_two(load(scores + i * cc_panel_width) * factor - base);
        sums[i & 1] += p;
        store(scores + i * cc_panel_width, values ? p * splat(values[i]) : p);
    }
    return sums[0] + sums[1];
}

// Replaces the scores [keys][16] of a panel by 2^(factor · score - maximum), in place, as float32 words or pairs;
// an odd number of pairs is completed by zero. Returns the maximum, scaled, and the sum of each lane.
//
// A pair takes the place of its first score, so writing never overtakes reading. Where a lane sees no key its
// maximum is -inf and its probabilities are zero. `scales`, if not null, are those of quantized keys, applied to the
// scores, and of quantized values, applied to the probabilities but not to their sum.
INLINE void softmax_typed(float *scores, int type, ptrdiff_t keys, const cc_scales *scales, const int32_t *limit,
                          float factor, float *maximum, float *total) {
    if (scales)
        scale_keys(scores, keys, scales->keys);
    hide_keys(scores, keys, limit);
    for (int lane = 0; lane < cc_panel_width; lane += LANES) {
        float *from = scores + lane;
        vf largest = largest_of_lanes(from, keys) * splat(factor), sum = {};
        vf base = choose(largest == splat(-INFINITY), splat(0.0f), largest);
#ifdef CC_HAS_BF16_DOT
        if (type == CC_BF16)
            sum = scales ? probabilities_bf16(from, keys, splat(factor), base, scales->values)
                         : probabilities_bf16(from, keys, splat(factor), base, NULL);
#endif
        if (type == CC_F32)
            sum = scales ? probabilities_f32(from, keys, splat(factor), base, scales->values)
                         : probabilities_f32(from, keys, splat(factor), base, NULL);
        store(maximum + lane, largest);
        store(total + lane, sum);
    }
}

static void softmax_f32(float *scores, ptrdiff_t keys, const cc_scales *scales, const int32_t *limit, float factor,
                        float *maximum, float *total) {
    softmax_typed(scores, CC_F32, keys, scales, limit, factor, maximum, total);
}

#ifdef CC_HAS_BF16_DOT
static void softmax_bf16(float *scores, ptrdiff_t keys, const cc_scales *scales, const int32_t *limit, float factor,
                         float *maximum, float *total) {
    softmax_typed(scores, CC_BF16, keys, scales, limit, factor, maximum, total);
}
#endif
