// Products of rows quantized to int8 with packed int8 and int4 panels, by the matrix instruction of ARMv8.6 for bytes
// (smmla). Rows and sums are those of packed_int_neon.h, whose kernel multiplies single rows; see mmla.h.
#pragma once
#include "mmla.h"
#include "packed_int_neon.h"

// Adds the products of two words to the sums of a tile: [pair of rows][pair of columns].
INLINE void add_code_words(int32x4_t sum[mmla_pairs][2 * packed_vectors], const int32_t *rows, int pairs,
                           ptrdiff_t height, const char *word, int int4, int first, int vectors, int second) {
    column_pairs right[packed_vectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
        uint32x4_t next = vdupq_n_u32(0);
        if (second)
            next = vreinterpretq_u32_s8(panel_codes(word + (int4 ? 64 : 128), int4, first + v));
        right[v] = zip_words(vreinterpretq_u32_s8(panel_codes(word, int4, first + v)), next);
    }
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++) {
        int8x16_t left = vreinterpretq_s8_u32(two_rows(rows, cc_quantized_row_words, p, pairs, height));
#pragma clang loop unroll(full)
        for (int v = 0; v < 2 * vectors; v++)
            sum[p][v] = vmmlaq_s32(sum[p][v], left, vreinterpretq_s8_u32(right[v / 2].of[v % 2]));
    }
}

// One group of pairs of rows and some vectors of four columns, from vector `first` on: as tile_dot.
INLINE void tile_mmla_int(const int32_t *rows, int pairs, ptrdiff_t height, panel_group group, int int4, int first,
                          int vectors, float *sums, ptrdiff_t stride, int accumulate) {
    int32x4_t sum[mmla_pairs][2 * packed_vectors];
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++) {
        const int32_t *corrections = rows + dot_corrections_place + group.index;
        uint32x4_t pair = two_rows(corrections, cc_quantized_row_words, p, pairs, height);
        int32x4_t correction = vreinterpretq_s32_u32(vtrn1q_u32(pair, pair));
#pragma clang loop unroll(full)
        for (int v = 0; v < 2 * vectors; v++)
            sum[p][v] = correction;
    }
    ptrdiff_t k = 0;
    for (; k + 2 <= group.words; k += 2)
        add_code_words(sum, rows + group.first + k, pairs, height, group.codes + k * (int4 ? 64 : 128), int4, first,
                       vectors, 1);
    if (k < group.words)
        add_code_words(sum, rows + group.first + k, pairs, height, group.codes + k * (int4 ? 64 : 128), int4, first,
                       vectors, 0);
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
#pragma clang loop unroll(full)
            for (int r = 0; r < 2; r++) {
                uint32x4_t a = vreinterpretq_u32_s32(sum[p][2 * v]), b = vreinterpretq_u32_s32(sum[p][2 * v + 1]);
                if (2 * p + r < height)
                    add_scaled(sums + (2 * p + r) * stride, group.scales, first + v,
                               scale_of_group(rows + (2 * p + r) * cc_quantized_row_words, group.index),
                               vreinterpretq_s32_u32(sums_of_row(a, b, r)), accumulate);
            }
}

INLINE void multiply_mmla_typed(const int32_t *rows, int pairs, ptrdiff_t height, cc_panel panel, int int4, float *sums,
                                ptrdiff_t stride, int accumulate) {
    for (panel_group group = first_group(panel, int4); group.first < panel.words; go_to_next_group(&group, panel))
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_vectors; v += mmla_width(pairs))
            tile_mmla_int(rows, pairs, height, group, int4, v, mmla_width(pairs), sums, stride,
                          accumulate || group.index > 0);
}

static void multiply_mmla(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                          int accumulate) {
    if (row_count == 1) {
        multiply_dot(rows, row_count, of, sums, stride, accumulate);
        return;
    }
    cc_panel panel = *of;
    ptrdiff_t height = mmla_height(row_count);
    for (ptrdiff_t row = 0; row < row_count; row += height) {
        const int32_t *left = (const int32_t *)rows + row * cc_quantized_row_words;
        float *out = sums + row * stride;
        ptrdiff_t count = cc_min(height, row_count - row);
#define TILE(n) multiply_mmla_typed(left, n, count, panel, 0, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT8)
            MMLA_PAIRS(cc_ceil_div(count, 2), TILE)
#undef TILE
#define TILE(n) multiply_mmla_typed(left, n, count, panel, 1, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT4)
            MMLA_PAIRS(cc_ceil_div(count, 2), TILE)
#undef TILE
    }
}

static const cc_packed_path bytes_mmla = {.per_word = 4,
                                          .row_words = cc_quantized_row_words,
                                          .tile_rows = mmla_step,
                                          .together = 1,
                                          .fill_row = quantize_row_neon,
                                          .direct = direct_dot,
                                          .multiply = multiply_mmla};
