// Products of bfloat16 rows with packed bfloat16 and fp8 panels, by the matrix instruction of ARMv8.6 (bfmmla), and for
// one row by the dot of pairs (bfdot). See packed.h and mmla.h; packed_bf16.h is the same for AVX-512.
//
// The architecture defines bfmmla as two dots of pairs, one after the other, so a row gets the same sums alone and
// among others. Both take subnormal numbers for zero, and round products and sums to odd.
#pragma once
#include "mmla.h"

// Panels that `expand` wrote: [tile of 8 columns][pair of words][two vectors of four columns].
enum { expanded_columns = -1 };

enum { packed_step_bf16 = mmla_step };

static void fill_packed_row_bf16(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)type, (void)group, (void)offset; // always CC_BF16
    memcpy(row, x, (size_t)count * 2);
    // Words are taken in pairs.
    for (ptrdiff_t i = count; i % 4 != 0; i++)
        ((uint16_t *)row)[i] = 0;
}

// Eight e4m3fn numbers as bfloat16, exactly, but a NaN as 480 (see widen_fp8). Subnormal ones are looked up, with the
// numbers of the exponent above them, which a table of 16 has room for.
INLINE uint32x4_t widen_fp8_pairs(const char *codes) {
    static const uint8_t low_bytes[16] = {0, 0, 0x80, 0xc0, 0, 0x20, 0x40, 0x60, //
                                          0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0};
    static const uint8_t high_bytes[16] = {0, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, //
                                           0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c};
    uint8x8_t code = vld1_u8((const uint8_t *)codes), magnitude = vand_u8(code, vdup_n_u8(0x7f));
    uint8x8_t low = vqtbx1_u8(vshl_n_u8(magnitude, 4), vld1q_u8(low_bytes), magnitude);
    uint8x8_t high = vqtbx1_u8(vadd_u8(vshr_n_u8(magnitude, 4), vdup_n_u8(0x3c)), vld1q_u8(high_bytes), magnitude);
    high = vorr_u8(high, vand_u8(code, vdup_n_u8(0x80)));
    return vreinterpretq_u32_u8(vcombine_u8(vzip1_u8(low, high), vzip2_u8(low, high)));
}

// One word of four columns.
INLINE uint32x4_t load_pairs(const char *word, int format, int v) {
    return format == CC_PACKED_FP8 ? widen_fp8_pairs(word + v * 8) : vld1q_u32((const uint32_t *)word + v * LANES);
}

// Two words of four columns; without a second one, zeros in its place.
INLINE column_pairs load_columns(const char *word, int format, int v, int second) {
    if (format == expanded_columns) {
        const uint32_t *from = (const uint32_t *)word + v * 2 * LANES;
        return (column_pairs){{vld1q_u32(from), vld1q_u32(from + LANES)}};
    }
    uint32x4_t next = second ? load_pairs(word + cc_packed_word_bytes(format), format, v) : vdupq_n_u32(0);
    return zip_words(load_pairs(word, format, v), next);
}

INLINE void expand_columns(char *to, cc_panel panel, int format) {
    const char *from = cc_panel_word(panel, panel.first);
    ptrdiff_t bytes = cc_packed_word_bytes(format);
    for (ptrdiff_t k = 0; k < panel.words; k += 2, from += 2 * bytes, to += 2 * mmla_columns * 4)
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_vectors; v++) {
            column_pairs columns = load_columns(from, format, v, k + 1 < panel.words);
            char *place = to + v / mmla_vectors * mmla_tile_bytes + v % mmla_vectors * 2 * CC_VECTOR_BYTES;
            memcpy(place, columns.of, sizeof columns);
        }
}

static void expand_bf16(void *words, cc_panel panel) {
    if (panel.format == CC_PACKED_FP8)
        expand_columns(words, panel, CC_PACKED_FP8);
    else
        expand_columns(words, panel, CC_PACKED_BF16);
}

static int direct_bf16(int format, ptrdiff_t rows) {
    (void)format;
    return rows <= cc_few_packed_rows;
}

// MARK: Tiles

INLINE void store_sums(float *to, float32x4_t sum, int accumulate) {
    vf value = (vf)sum;
    store(to, accumulate ? load(to) + value : value);
}

// Adds the products of two words to the sums of a tile: [pair of rows][pair of columns].
INLINE void add_words(float32x4_t sum[mmla_pairs][2 * packed_vectors], const int32_t *rows, int pairs, ptrdiff_t height,
                      const char *word, int format, int first, int vectors, int second) {
    column_pairs right[packed_vectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++)
        right[v] = load_columns(word, format, first + v, second);
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++) {
        bfloat16x8_t left = vreinterpretq_bf16_u32(two_rows(rows, cc_row_words, p, pairs, height));
#pragma clang loop unroll(full)
        for (int v = 0; v < 2 * vectors; v++)
            sum[p][v] = vbfmmlaq_f32(sum[p][v], left, vreinterpretq_bf16_u32(right[v / 2].of[v % 2]));
    }
}

// Pairs of rows times some vectors of four columns, from vector `first` on. `pairs`, `format`, `first` and `vectors`
// are constants at every call, so the sums live in registers.
INLINE void tile_mmla_bf16(const int32_t *rows, int pairs, ptrdiff_t height, const char *panel, int format, int first,
                           int vectors, ptrdiff_t words, float *sums, ptrdiff_t stride, int accumulate) {
    float32x4_t sum[mmla_pairs][2 * packed_vectors];
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < 2 * vectors; v++)
            sum[p][v] = vdupq_n_f32(0);
    ptrdiff_t step = format == expanded_columns ? 2 * mmla_columns * 4 : 2 * cc_packed_word_bytes(format);
    ptrdiff_t k = 0;
    for (; k + 2 <= words; k += 2, panel += step)
        add_words(sum, rows + k, pairs, height, panel, format, first, vectors, 1);
    if (k < words)
        add_words(sum, rows + k, pairs, height, panel, format, first, vectors, 0);
#pragma clang loop unroll(full)
    for (int p = 0; p < pairs; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
#pragma clang loop unroll(full)
            for (int r = 0; r < 2; r++) {
                uint32x4_t a = vreinterpretq_u32_f32(sum[p][2 * v]), b = vreinterpretq_u32_f32(sum[p][2 * v + 1]);
                if (2 * p + r < height)
                    store_sums(sums + (2 * p + r) * stride + (first + v) * LANES,
                               vreinterpretq_f32_u32(sums_of_row(a, b, r)), accumulate);
            }
}

// One row: a word of the row meets a word of every column.
INLINE void multiply_row_bf16(const int32_t *row, const char *panel, int format, ptrdiff_t words, ptrdiff_t ahead,
                              float *sums, int accumulate) {
    float32x4_t sum[packed_vectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < packed_vectors; v++)
        sum[v] = vdupq_n_f32(0);
    for (ptrdiff_t k = 0; k < words; k++, panel += cc_packed_word_bytes(format)) {
        bfloat16x8_t left = vreinterpretq_bf16_s32(vdupq_n_s32(row[k]));
        ask_ahead(panel, cc_packed_word_bytes(format), ahead);
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_vectors; v++)
            sum[v] = vbfdotq_f32(sum[v], left, vreinterpretq_bf16_u32(load_pairs(panel, format, v)));
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < packed_vectors; v++)
        store_sums(sums + v * LANES, sum[v], accumulate);
}

// Few rows meet a panel as it is.
INLINE void multiply_few_bf16(const int32_t *rows, ptrdiff_t row_count, cc_panel panel, int format, float *sums,
                              ptrdiff_t stride, int accumulate) {
    const char *right = cc_panel_word(panel, panel.first);
    if (row_count == 1) {
        multiply_row_bf16(rows, right, format, panel.words, panel.ahead, sums, accumulate);
        return;
    }
    ptrdiff_t height = mmla_height(row_count);
    for (ptrdiff_t row = 0; row < row_count; row += height) {
        ptrdiff_t count = cc_min(height, row_count - row);
#define TILE(n)                                                                                                        \
    _Pragma("clang loop unroll(full)") for (int v = 0; v < packed_vectors; v += mmla_width(n))                         \
        tile_mmla_bf16(rows + row * cc_row_words, n, count, right, format, v, mmla_width(n), panel.words,              \
                       sums + row * stride, stride, accumulate)
        MMLA_PAIRS(cc_ceil_div(count, 2), TILE)
#undef TILE
    }
}

static void multiply_packed_bf16(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                                 int accumulate) {
    cc_panel panel = *of;
    if (!panel.expanded) {
        if (panel.format == CC_PACKED_FP8)
            multiply_few_bf16(rows, row_count, panel, CC_PACKED_FP8, sums, stride, accumulate);
        else
            multiply_few_bf16(rows, row_count, panel, CC_PACKED_BF16, sums, stride, accumulate);
        return;
    }
    for (ptrdiff_t row = 0; row < row_count; row += mmla_rows)
        for (int tile = 0; tile < cc_packed_width / mmla_columns; tile++) {
            ptrdiff_t count = cc_min(mmla_rows, row_count - row);
#define TILE(n)                                                                                                        \
    tile_mmla_bf16((const int32_t *)rows + row * cc_row_words, n, count, panel.start + tile * mmla_tile_bytes,         \
                   expanded_columns, 0, mmla_vectors, panel.words, sums + row * stride + tile * mmla_columns, stride,  \
                   accumulate)
            MMLA_PAIRS(cc_ceil_div(count, 2), TILE)
#undef TILE
        }
}
