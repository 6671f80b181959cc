// Products of a few float32 rows with packed panels of any format: each word is decoded in registers, where it is used.
//
// A tile is as many rows and vectors of columns as the registers hold sums for; its words are decoded once for all of
// its rows. Expanding a panel first, as many rows do, would write and read four bytes for each of its one or two.
#pragma once
#include "rowwise.h"

enum {
    few_tile_rows = 5,
#if CC_VECTOR_BYTES == 64 || defined(__aarch64__)
    few_sums = 24, // of 32 registers
#else
    few_sums = 12, // of 16
#endif
};

// Words that need no decoding are worth being put in order for fewer rows.
static int direct_f32(int format, ptrdiff_t rows) {
    return rows <= (format == CC_PACKED_F32 ? few_tile_rows : cc_few_packed_rows);
}

// Element `e` of one word, for some vectors of columns. fp8 with vectors of 32 bytes: two vectors at a time, and 256 times
// too small, which the sums make good.
INLINE void decode_few(vf *right, int format, const char *word, const float *scales, int e, int first, int vectors) {
#if CC_VECTOR_BYTES == 32
    if (format == CC_PACKED_FP8) {
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v += 2) {
            __m256i pairs = _mm256_loadu_si256((const __m256i *)(word + (first + v) * LANES * 2));
            __m256i halves = fp8_halves(pairs, e);
            right[v] = (vf)_mm256_cvtph_ps(_mm256_castsi256_si128(halves));
            right[v + 1] = (vf)_mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1));
        }
        return;
    }
#endif
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
        right[v] = decode_element(format, word, first + v, e);
        if (format >= CC_PACKED_INT8)
            right[v] *= load(scales + (first + v) * LANES);
    }
}

// Sums of `vectors` vectors of columns, from vector `first` on. `height`, `format`, `first` and `vectors` are constants
// at every call.
INLINE void tile_few_f32(const float *rows, int height, cc_panel panel, int format, int first, int vectors, float *sums,
                         ptrdiff_t stride, int accumulate) {
    const int per_word = cc_packed_per_word(format);
    const ptrdiff_t bytes = cc_packed_word_bytes(format);
    vf sum[few_tile_rows][packed_vectors] = {};
    ptrdiff_t end = panel.first + panel.words;
    for (ptrdiff_t word = panel.first; word < end;) {
        ptrdiff_t count = run_length(panel, word);
        float space[cc_packed_width];
        const float *scales = widen_scales(scales_at(panel, word), space);
        const char *from = cc_panel_word(panel, word);
        for (ptrdiff_t i = 0; i < count; i++, from += bytes, rows += per_word) {
            if (first == 0)
                ask_ahead(from, bytes, panel.ahead);
#pragma clang loop unroll(full)
            for (int e = 0; e < per_word; e++) {
                vf right[packed_vectors];
                decode_few(right, format, from, scales, e, first, vectors);
#pragma clang loop unroll(full)
                for (int r = 0; r < height; r++) {
                    vf left = splat(rows[r * cc_row_words + e]);
#pragma clang loop unroll(full)
                    for (int v = 0; v < vectors; v++)
                        sum[r][v] += left * right[v];
                }
            }
        }
        word += count;
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            float *to = sums + r * stride + (first + v) * LANES;
            if (CC_VECTOR_BYTES == 32 && format == CC_PACKED_FP8)
                sum[r][v] *= splat(256);
            store(to, accumulate ? load(to) + sum[r][v] : sum[r][v]);
        }
}

// All columns of one panel: a low tile is as wide as the panel, a high one half as wide, or less.
INLINE void tile_few_columns_f32(const float *rows, int height, cc_panel panel, int format, float *sums,
                                 ptrdiff_t stride, int accumulate) {
    int vectors = packed_vectors;
    while (height * vectors > few_sums)
        vectors /= 2;
#pragma clang loop unroll(full)
    for (int first = 0; first < packed_vectors; first += vectors)
        tile_few_f32(rows, height, panel, format, first, vectors, sums, stride, accumulate);
}

INLINE void multiply_few_typed(const float *rows, ptrdiff_t height, cc_panel panel, int format, float *sums,
                               ptrdiff_t stride, int accumulate) {
#define TILE(n) tile_few_columns_f32(rows, n, panel, format, sums, stride, accumulate)
    switch (height) {
        PACKED_CASE(1, TILE)
        PACKED_CASE(2, TILE)
        PACKED_CASE(3, TILE)
        PACKED_CASE(4, TILE)
        PACKED_CASE(few_tile_rows, TILE)
    }
#undef TILE
}

static void multiply_few_f32(const float *rows, ptrdiff_t row_count, cc_panel panel, float *sums, ptrdiff_t stride,
                             int accumulate) {
    // Tiles of equal heights: a last tile of one row would decode every word for that row alone.
    ptrdiff_t tiles = cc_ceil_div(row_count, few_tile_rows), height = cc_ceil_div(row_count, tiles);
    for (ptrdiff_t row = 0; row < row_count; row += height) {
        const float *left = rows + row * cc_row_words;
        float *out = sums + row * stride;
        ptrdiff_t count = cc_min(height, row_count - row);
        switch (panel.format) {
        case CC_PACKED_F32:
            multiply_few_typed(left, count, panel, CC_PACKED_F32, out, stride, accumulate);
            break;
        case CC_PACKED_F16:
            multiply_few_typed(left, count, panel, CC_PACKED_F16, out, stride, accumulate);
            break;
        case CC_PACKED_BF16:
            multiply_few_typed(left, count, panel, CC_PACKED_BF16, out, stride, accumulate);
            break;
        case CC_PACKED_FP8:
            multiply_few_typed(left, count, panel, CC_PACKED_FP8, out, stride, accumulate);
            break;
        case CC_PACKED_INT8:
            multiply_few_typed(left, count, panel, CC_PACKED_INT8, out, stride, accumulate);
            break;
        default:
            multiply_few_typed(left, count, panel, CC_PACKED_INT4, out, stride, accumulate);
        }
    }
}
