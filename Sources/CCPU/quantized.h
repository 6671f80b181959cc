// Rows of quantized keys and values: a signed byte per element, and one scale.
#pragma once
#include "rowwise.h"

typedef int8_t vb __attribute__((vector_size(LANES)));

// The largest magnitude becomes 127. The bytes of a row of zeros have the scale 0.
static float quantize(int8_t *y, const float *x, ptrdiff_t count) {
    vf most = {};
    FOR_ROW(count, most = larger(most, (vf)((vu)load(x + i) & 0x7fffffffu)),
            most = larger(most, (vf)((vu)load_some(x, CC_F32, i, left, 0) & 0x7fffffffu)));
    float largest = largest_lane(most);
    if (has_non_finite(x, CC_F32, count))
        largest = NAN;
    const float magic = 12582912.0f; // as in `exponential`
    vf factor = splat(largest > 0 ? 127.0f / largest : 0.0f);
    for (ptrdiff_t i = 0; i < count; i += LANES) {
        ptrdiff_t left = cc_min(LANES, count - i);
        vf v = left == LANES ? load(x + i) : load_some(x, CC_F32, i, left, 0);
        v = at_most(at_least(v * factor, -127.0f), 127.0f) + splat(magic);
        vb bytes = __builtin_convertvector((vi)v - (vi)splat(magic), vb);
        memcpy(y + i, &bytes, (size_t)left);
    }
    return largest / 127.0f;
}

static void fill_bytes_f32(void *row, const int8_t *x, ptrdiff_t count) {
    float *y = row;
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vb bytes;
        memcpy(&bytes, x + i, sizeof bytes);
        store(y + i, __builtin_convertvector(bytes, vf));
    }
    for (; i < count; i++)
        y[i] = x[i];
}

#ifdef CC_HAS_BF16_DOT
// Bytes are exact in bfloat16.
static void fill_bytes_bf16(void *row, const int8_t *x, ptrdiff_t count) {
    uint16_t *y = row;
    for (ptrdiff_t i = 0; i < count; i += 32) {
        ptrdiff_t left = cc_min(32, count - i);
        __m256i bytes = _mm256_maskz_loadu_epi8(0xffffffffu >> (32 - left), x + i);
        __m512 low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
        __m512 high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(bytes, 1)));
        __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_mask_storeu_epi16(y + i, 0xffffffffu >> (32 - (left + left % 2)), pairs);
    }
}
#endif
