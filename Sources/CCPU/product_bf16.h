// Products of bfloat16 pairs with vdpbf16ps (AVX-512 BF16). See kernels.h for the layouts.
#pragma once
#include "product_f32.h"

INLINE vf dot_pairs(vf sum, vi left, vi right) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
}

INLINE vi load_words(const void *p) {
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

// MARK: Packing

static void fill_row_bf16(void *row, const void *x, int type, ptrdiff_t count) {
    (void)type; // always CC_BF16
    memcpy(row, x, (size_t)count * 2);
    if (count & 1)
        ((uint16_t *)row)[count] = 0;
}

static void pack_transposed_bf16(void *panel, const void *const *rows, int type, ptrdiff_t count) {
    (void)type;
    static const uint16_t zeros[2 * cc_block_words];
    const uint16_t *present[cc_panel_width];
    for (int i = 0; i < cc_panel_width; i++)
        present[i] = rows[i] ? rows[i] : zeros;
    float *to = panel;
    ptrdiff_t k = 0;
    for (; k + 32 <= count; k += 32) {
        vf v[16];
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++)
            v[i] = load((const float *)(present[i] + k));
        transpose(v);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++)
            store(to + (k / 2 + i) * cc_panel_width, v[i]);
    }
    uint32_t *word = (uint32_t *)panel;
    for (; k < count; k += 2)
        for (int i = 0; i < cc_panel_width; i++) {
            uint32_t second = k + 1 < count ? present[i][k + 1] : 0;
            word[k / 2 * cc_panel_width + i] = present[i][k] | second << 16;
        }
}

// Two rows become words, 32 columns at a time: two panels.
static void pack_straight_bf16(void *panels, const void *const *rows, ptrdiff_t count, int type, ptrdiff_t width) {
    (void)type;
    static const uint16_t order[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                       8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    __m512i near = _mm512_loadu_si512(order), far = _mm512_add_epi16(near, _mm512_set1_epi16(16));
    ptrdiff_t words = cc_ceil_div(count, 2), panel = words * cc_panel_width;
    for (ptrdiff_t column = 0; column < width; column += 2 * cc_panel_width) {
        ptrdiff_t columns = cc_min(width - column, 2 * cc_panel_width);
        __mmask32 mask = 0xffffffffu >> (32 - columns);
        uint32_t *to = (uint32_t *)panels + column / cc_panel_width * panel;
        for (ptrdiff_t k = 0; k < words; k++, to += cc_panel_width) {
            __m512i a = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)rows[2 * k] + column);
            __m512i b = _mm512_setzero_si512();
            if (2 * k + 1 < count)
                b = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)rows[2 * k + 1] + column);
            _mm512_storeu_si512(to, _mm512_permutex2var_epi16(a, near, b));
            if (columns > cc_panel_width)
                _mm512_storeu_si512(to + panel, _mm512_permutex2var_epi16(a, far, b));
        }
    }
}

// MARK: The tile

INLINE void tile_bf16(const int32_t *rows, int row_count, const int32_t *panel, int panels, ptrdiff_t words,
                      float *sums, ptrdiff_t stride, int accumulate) {
    vf sum[tile_rows][tile_panels] = {};
    for (ptrdiff_t k = 0; k < words; k++) {
        vi right[tile_panels];
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++)
            right[p] = load_words(panel + (p * words + k) * cc_panel_width);
#pragma clang loop unroll(full)
        for (int r = 0; r < row_count; r++) {
            vi left = rows[r * cc_row_words + k] - (vi){};
#pragma clang loop unroll(full)
            for (int p = 0; p < panels; p++)
                sum[r][p] = dot_pairs(sum[r][p], left, right[p]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < row_count; r++)
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++) {
            float *to = sums + r * stride + p * LANES;
            store(to, accumulate ? load(to) + sum[r][p] : sum[r][p]);
        }
}

DEFINE_MULTIPLY(multiply_bf16, int32_t, tile_bf16)

// MARK: Few rows

INLINE vi load_pairs(const uint16_t *p, ptrdiff_t count) {
    __mmask32 mask = (1u << count) - 1; // count < 32
    return (vi)_mm512_maskz_loadu_epi16(mask, p);
}

// As dot_f32, on pairs.
INLINE void dot_bf16(const uint16_t *x, ptrdiff_t x_stride, int group, const uint16_t *weight, int columns,
                     ptrdiff_t depth, float *out, ptrdiff_t out_stride) {
    vf sum[dot_group][dot_columns] = {};
    ptrdiff_t k = 0;
    for (; k + 32 <= depth; k += 32) {
        vi w[dot_columns];
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) {
            __builtin_prefetch(weight + (dot_columns + n) * depth + k, 0, 2);
            w[n] = load_words(weight + n * depth + k);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < group; r++) {
            vi left = load_words(x + r * x_stride + k);
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++)
                sum[r][n] = dot_pairs(sum[r][n], left, w[n]);
        }
    }
    if (k < depth)
#pragma clang loop unroll(full)
        for (int r = 0; r < group; r++)
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++)
                sum[r][n] = dot_pairs(sum[r][n], load_pairs(x + r * x_stride + k, depth - k),
                                      load_pairs(weight + n * depth + k, depth - k));
#pragma clang loop unroll(full)
    for (int r = 0; r < group; r++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++)
            out[r * out_stride + n] = sum_lanes(sum[r][n]);
}

static void dot_rows_bf16(const void *x, ptrdiff_t x_stride, ptrdiff_t rows, const void *weight, int type,
                          ptrdiff_t depth, ptrdiff_t columns, float *out, ptrdiff_t out_stride) {
    (void)type;
#define DOT(group, wide)                                                                                               \
    dot_bf16((const uint16_t *)x + r * x_stride, x_stride, group, (const uint16_t *)weight + n * depth, wide, depth,   \
             out + r * out_stride + n, out_stride)
    FOR_ROWS_AND_COLUMNS(DOT)
#undef DOT
}
