// Products of float32 rows with packed panels of any format. See packed.h for the layouts.
//
// Panels of other formats are either decoded in registers (few rows, which read each word once) or expanded to float32
// first (many rows, which share the work). A sum runs over the depth in the same order in both.
#pragma once
#include "rowwise.h"

static void fill_packed_row_f32(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)group, (void)offset;
    widen(row, x, type, count);
}

// MARK: Decoding

// e4m3fn: shifting exponent and fraction into place leaves a number 2^120 too small, subnormals included.
INLINE vf widen_fp8(vu bits) {
    vu magnitude = bits & 0x7f;
    vf value = (vf)(magnitude << 20) * splat(0x1p120f);
    vu nan = (vu)(magnitude == splat_bits(0x7f)) & splat_bits(0x7fc00000u);
    return (vf)((vu)value | nan | (bits & 0x80) << 24);
}

INLINE vu load_bits(const char *p) {
    vu v;
    memcpy(&v, p, sizeof v);
    return v;
}

// The elements of one word, for the columns from v · LANES. `format` is a constant at every call.
INLINE void decode_word(int format, const char *word, int v, vf *out) {
    if (format == CC_PACKED_F32) {
        out[0] = load((const float *)word + v * LANES);
    } else if (format == CC_PACKED_BF16) {
        vu bits = load_bits(word + v * CC_VECTOR_BYTES);
        out[0] = (vf)(bits << 16);
        out[1] = (vf)(bits & 0xffff0000u);
    } else if (format == CC_PACKED_F16) {
        vu bits = load_bits(word + v * CC_VECTOR_BYTES);
        out[0] = widen_f16(bits & 0xffff);
        out[1] = widen_f16(bits >> 16);
    } else if (format == CC_PACKED_FP8) {
        vh half;
        memcpy(&half, word + v * LANES * 2, sizeof half);
        vu bits = __builtin_convertvector(half, vu);
        out[0] = widen_fp8(bits & 0xff);
        out[1] = widen_fp8(bits >> 8);
    } else if (format == CC_PACKED_INT8) {
        vu bits = load_bits(word + v * CC_VECTOR_BYTES);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++)
            out[i] = __builtin_convertvector((vi)(bits >> 8 * i & 0xff) - 128, vf);
    } else {
        const int vectors = 16 / LANES, high = v >= vectors ? 4 : 0;
        vu bits = load_bits(word + v % vectors * CC_VECTOR_BYTES) >> high;
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++)
            out[i] = __builtin_convertvector((vi)(bits >> 8 * i & 0xf) - 8, vf);
    }
}

// Scales of the codes of a word; fp8 is scaled after the product.
INLINE const float *scales_at(cc_panel panel, ptrdiff_t word) {
    if (!panel.group_words)
        return (const float *)panel.start;
    ptrdiff_t first = word - word % panel.group_words;
    return (const float *)(panel.start + cc_packed_offset(panel.format, panel.group_words, first) - cc_scale_bytes);
}

enum { packed_vectors = cc_packed_width / LANES };

// Words that share scales, from `word` on.
INLINE ptrdiff_t run_length(cc_panel panel, ptrdiff_t word) {
    ptrdiff_t left = panel.first + panel.words - word;
    return panel.group_words ? cc_min(left, panel.group_words - word % panel.group_words) : left;
}

INLINE void expand_f32_typed(float *to, cc_panel panel, int format) {
    const int per_word = cc_packed_per_word(format);
    ptrdiff_t end = panel.first + panel.words;
    for (ptrdiff_t word = panel.first; word < end;) {
        ptrdiff_t count = run_length(panel, word);
        const float *scales = scales_at(panel, word);
        const char *from = panel.start + cc_packed_offset(format, panel.group_words, word);
        for (ptrdiff_t i = 0; i < count; i++, to += per_word * cc_packed_width) {
#pragma clang loop unroll(full)
            for (int v = 0; v < packed_vectors; v++) {
                vf decoded[4];
                decode_word(format, from + i * cc_packed_word_bytes(format), v, decoded);
#pragma clang loop unroll(full)
                for (int e = 0; e < per_word; e++) {
                    vf value = format >= CC_PACKED_INT8 ? decoded[e] * load(scales + v * LANES) : decoded[e];
                    store(to + e * cc_packed_width + v * LANES, value);
                }
            }
        }
        word += count;
    }
}

static void expand_f32(void *words, cc_panel panel) {
    switch (panel.format) {
    case CC_PACKED_F16:
        expand_f32_typed(words, panel, CC_PACKED_F16);
        break;
    case CC_PACKED_BF16:
        expand_f32_typed(words, panel, CC_PACKED_BF16);
        break;
    case CC_PACKED_FP8:
        expand_f32_typed(words, panel, CC_PACKED_FP8);
        break;
    case CC_PACKED_INT8:
        expand_f32_typed(words, panel, CC_PACKED_INT8);
        break;
    default:
        expand_f32_typed(words, panel, CC_PACKED_INT4);
    }
}

// MARK: Tiles

static int direct_f32(int format, ptrdiff_t rows) { return format == CC_PACKED_F32 || rows == 1; }

// How far ahead of its use a product asks for memory, in bytes. Formats whose words are one cache line leave it to the
// processor: asking so far ahead halved the rate of int4 and fp8 on Zen 4, and gained 10 % for bfloat16.
enum { packed_ahead = 4096 };

// One row: every word is decoded where it is used.
INLINE void row_f32(const float *row, cc_panel panel, int format, float *sums, int accumulate) {
    const int per_word = cc_packed_per_word(format);
    const ptrdiff_t bytes = cc_packed_word_bytes(format);
    vf sum[packed_vectors] = {};
    ptrdiff_t end = panel.first + panel.words;
    for (ptrdiff_t word = panel.first; word < end;) {
        ptrdiff_t count = run_length(panel, word);
        const float *scales = scales_at(panel, word);
        const char *from = panel.start + cc_packed_offset(format, panel.group_words, word);
        for (ptrdiff_t i = 0; i < count; i++, from += bytes, row += per_word) {
            if (bytes == 128) {
                __builtin_prefetch(from + packed_ahead, 0, 2);
                __builtin_prefetch(from + packed_ahead + 64, 0, 2);
            }
#pragma clang loop unroll(full)
            for (int v = 0; v < packed_vectors; v++) {
                vf decoded[4];
                decode_word(format, from, v, decoded);
#pragma clang loop unroll(full)
                for (int e = 0; e < per_word; e++) {
                    vf value = format >= CC_PACKED_INT8 ? decoded[e] * load(scales + v * LANES) : decoded[e];
                    sum[v] += splat(row[e]) * value;
                }
            }
        }
        word += count;
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < packed_vectors; v++) {
        float *to = sums + v * LANES;
        store(to, accumulate ? load(to) + sum[v] : sum[v]);
    }
}

#if CC_VECTOR_BYTES == 64
enum { packed_rows_f32 = 14, packed_tile_vectors = 2 };
#elif CC_VECTOR_BYTES == 32
enum { packed_rows_f32 = 6, packed_tile_vectors = 2 };
#elif defined(__aarch64__)
enum { packed_rows_f32 = 6, packed_tile_vectors = 4 };
#else
enum { packed_rows_f32 = 3, packed_tile_vectors = 4 };
#endif

// `height` is a constant at every call, so the sums live in registers.
INLINE void tile_packed_f32(const float *rows, int height, const float *panel, ptrdiff_t words, float *sums,
                            ptrdiff_t stride, int accumulate) {
    vf sum[packed_rows_f32][packed_tile_vectors] = {};
    for (ptrdiff_t k = 0; k < words; k++) {
        vf right[packed_tile_vectors];
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_tile_vectors; v++)
            right[v] = load(panel + k * cc_packed_width + v * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            vf left = splat(rows[r * cc_row_words + k]);
#pragma clang loop unroll(full)
            for (int v = 0; v < packed_tile_vectors; v++)
                sum[r][v] += left * right[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_tile_vectors; v++) {
            float *to = sums + r * stride + v * LANES;
            store(to, accumulate ? load(to) + sum[r][v] : sum[r][v]);
        }
}

// Runs `tile(height)` for heights that are known when compiled.
#define PACKED_HEIGHTS_3(height, tile)                                                                                 \
    switch (height) {                                                                                                  \
    case 1:                                                                                                            \
        tile(1);                                                                                                       \
        break;                                                                                                         \
    case 2:                                                                                                            \
        tile(2);                                                                                                       \
        break;                                                                                                         \
    case 3:                                                                                                            \
        tile(3);                                                                                                       \
        break;                                                                                                         \
        PACKED_MORE_HEIGHTS(tile)                                                                                      \
    }
#define PACKED_CASE(n, tile)                                                                                           \
    case n:                                                                                                            \
        tile(n);                                                                                                       \
        break;
#if CC_VECTOR_BYTES == 64
#define PACKED_MORE_HEIGHTS(tile)                                                                                      \
    PACKED_CASE(4, tile)                                                                                               \
    PACKED_CASE(5, tile)                                                                                               \
    PACKED_CASE(6, tile)                                                                                               \
    PACKED_CASE(7, tile)                                                                                               \
    PACKED_CASE(8, tile)                                                                                               \
    PACKED_CASE(9, tile)                                                                                               \
    PACKED_CASE(10, tile)                                                                                              \
    PACKED_CASE(11, tile)                                                                                              \
    PACKED_CASE(12, tile)                                                                                              \
    PACKED_CASE(13, tile)                                                                                              \
    PACKED_CASE(14, tile)
#elif CC_VECTOR_BYTES == 32 || defined(__aarch64__)
#define PACKED_MORE_HEIGHTS(tile) PACKED_CASE(4, tile) PACKED_CASE(5, tile) PACKED_CASE(6, tile)
#else
#define PACKED_MORE_HEIGHTS(tile)
#endif

static void multiply_row_f32(const float *row, cc_panel panel, float *sums, int accumulate) {
    switch (panel.format) {
    case CC_PACKED_F32:
        row_f32(row, panel, CC_PACKED_F32, sums, accumulate);
        break;
    case CC_PACKED_F16:
        row_f32(row, panel, CC_PACKED_F16, sums, accumulate);
        break;
    case CC_PACKED_BF16:
        row_f32(row, panel, CC_PACKED_BF16, sums, accumulate);
        break;
    case CC_PACKED_FP8:
        row_f32(row, panel, CC_PACKED_FP8, sums, accumulate);
        break;
    case CC_PACKED_INT8:
        row_f32(row, panel, CC_PACKED_INT8, sums, accumulate);
        break;
    default:
        row_f32(row, panel, CC_PACKED_INT4, sums, accumulate);
    }
}

static void multiply_packed_f32(const void *rows, ptrdiff_t row_count, cc_panel panel, float *sums, ptrdiff_t stride,
                                int accumulate) {
    if (row_count == 1) {
        multiply_row_f32(rows, panel, sums, accumulate);
        return;
    }
    for (ptrdiff_t row = 0; row < row_count; row += packed_rows_f32)
        for (int column = 0; column < cc_packed_width; column += packed_tile_vectors * LANES) {
            const float *left = (const float *)rows + row * cc_row_words;
            const float *right = (const float *)panel.start + panel.first * cc_packed_width + column;
            float *out = sums + row * stride + column;
#define TILE(n) tile_packed_f32(left, n, right, panel.words, out, stride, accumulate)
            PACKED_HEIGHTS_3(cc_min(packed_rows_f32, row_count - row), TILE)
#undef TILE
        }
}
