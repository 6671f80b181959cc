// Products of float32 rows with packed panels of any format. See packed.h for the layouts.
//
// Panels are either decoded in registers (few rows: packed_few.h) or expanded to float32 first (many rows, which share
// the work, and lie together as [word][packed_rows_f32], so that a tile reads one stream of each). A sum runs over the
// depth in the same order in both.
#pragma once
#include "packed_scales.h"
#include "rowwise.h"

static void fill_packed_row_f32(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)group, (void)offset;
    widen(row, x, type, count);
    // The last word of a panel may hold up to three elements more.
    for (ptrdiff_t i = count; i % 4 != 0; i++)
        ((float *)row)[i] = 0;
}

// MARK: Decoding

// e4m3fn: shifting exponent and fraction into place leaves a number 2^120 too small, subnormals included. A NaN counts
// as 480: the scale of its column is a NaN.
INLINE vf widen_fp8(vu bits) {
    vf value = (vf)((bits & 0x7f) << 20) * splat(0x1p120f);
    return (vf)((vu)value | (bits & 0x80) << 24);
}

INLINE vu load_bits(const char *p) {
    vu v;
    memcpy(&v, p, sizeof v);
    return v;
}

#if CC_VECTOR_BYTES == 32
// Element `e` of two e4m3fn numbers a column, as halves that are 256 times too small, which a processor with F16C widens.
INLINE __m256i fp8_halves(__m256i pairs, int e) {
    __m256i high = e == 0 ? _mm256_slli_epi16(pairs, 8) : pairs;
    return _mm256_and_si256(_mm256_srai_epi16(high, 1), _mm256_set1_epi16((short)0xbf80));
}

INLINE vf widen_fp8_element(const char *word, int v, int e) {
    __m256i pairs = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(word + v * LANES * 2)));
    return (vf)_mm256_cvtph_ps(_mm256_castsi256_si128(fp8_halves(pairs, e))) * splat(256);
}
#else
INLINE vf widen_fp8_element(const char *word, int v, int e) {
    vh half;
    memcpy(&half, word + v * LANES * 2, sizeof half);
    return widen_fp8(__builtin_convertvector(half, vu) >> 8 * e & 0xff);
}
#endif

// Element `e` of one word, for the columns from v · LANES. `format` and `e` are constants at every call.
INLINE vf decode_element(int format, const char *word, int v, int e) {
    if (format == CC_PACKED_F32)
        return load((const float *)word + v * LANES);
    if (format == CC_PACKED_FP8)
        return widen_fp8_element(word, v, e);
    if (format == CC_PACKED_INT4) {
        const int vectors = 16 / LANES, high = v >= vectors ? 4 : 0;
        vu bits = load_bits(word + v % vectors * CC_VECTOR_BYTES);
        return __builtin_convertvector((vi)(bits >> (8 * e + high) & 0xf) - 8, vf);
    }
    vu bits = load_bits(word + v * CC_VECTOR_BYTES);
    if (format == CC_PACKED_BF16)
        return (vf)(e == 0 ? bits << 16 : bits & 0xffff0000u);
    if (format == CC_PACKED_F16)
        return widen_f16(e == 0 ? bits & 0xffff : bits >> 16);
    return __builtin_convertvector((vi)(bits >> 8 * e & 0xff) - 128, vf);
}

// A tile is so many rows and vectors of columns; its sums fill the registers.
#if CC_VECTOR_BYTES == 64
enum { packed_rows_f32 = 14, packed_tile_vectors = 2 };
#elif CC_VECTOR_BYTES == 32
enum { packed_rows_f32 = 6, packed_tile_vectors = 2 };
#elif defined(__aarch64__)
enum { packed_rows_f32 = 6, packed_tile_vectors = 4 };
#else
enum { packed_rows_f32 = 3, packed_tile_vectors = 4 };
#endif
enum {
    packed_tile_width = packed_tile_vectors * LANES,
#if CC_VECTOR_BYTES == 32
    packed_step_f32 = 84, // rows that meet a panel before the next
    // Words between two branches: a word is 20 instructions for 6 cycles, and rows of 8 words are whole cache lines.
    packed_turn_f32 = 8,
#else
    packed_step_f32 = packed_rows_f32 == 14 ? 14 : 12,
    packed_turn_f32 = 1,
#endif
};

enum { packed_vectors = cc_packed_width / LANES };

// Words that share scales, from `word` on.
INLINE ptrdiff_t run_length(cc_panel panel, ptrdiff_t word) {
    ptrdiff_t left = panel.first + panel.words - word;
    return panel.group_words ? cc_min(left, panel.group_words - word % panel.group_words) : left;
}

// Asks for a word of a panel that will be read later: what reads a panel first finds it in no cache. `bytes`, those of a word,
// is a constant at every call.
INLINE void ask_ahead(const char *word, ptrdiff_t bytes, ptrdiff_t ahead) {
    if (!ahead)
        return;
    __builtin_prefetch(word + ahead, 0, 3);
    if (bytes == 128)
        __builtin_prefetch(word + ahead + 64, 0, 3);
}

// The columns of one tile lie together, [tile][cc_block_words][columns]: a tile that read every other cache line would
// bring twice as many into the nearest cache as it needs.
INLINE void expand_f32_typed(float *to, cc_panel panel, int format) {
    const int per_word = cc_packed_per_word(format);
    ptrdiff_t end = panel.first + panel.words;
    for (ptrdiff_t word = panel.first; word < end;) {
        ptrdiff_t count = run_length(panel, word);
        float space[cc_packed_width];
        const float *scales = widen_scales(scales_at(panel, word), space);
        const char *from = cc_panel_word(panel, word);
        for (ptrdiff_t i = 0; i < count; i++, to += per_word * packed_tile_width) {
            ask_ahead(from + i * cc_packed_word_bytes(format), cc_packed_word_bytes(format), panel.ahead);
#pragma clang loop unroll(full)
            for (int v = 0; v < packed_vectors; v++)
#pragma clang loop unroll(full)
                for (int e = 0; e < per_word; e++) {
                    vf value = decode_element(format, from + i * cc_packed_word_bytes(format), v, e);
                    if (format >= CC_PACKED_INT8)
                        value *= load(scales + v * LANES);
                    store(to + v / packed_tile_vectors * cc_block_words * packed_tile_width + e * packed_tile_width +
                              v % packed_tile_vectors * LANES, value);
                }
        }
        word += count;
    }
}

static void expand_f32(void *words, cc_panel panel) {
    switch (panel.format) {
    case CC_PACKED_F32:
        expand_f32_typed(words, panel, CC_PACKED_F32);
        break;
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

// One word of the depth: every row of a tile meets every column.
INLINE void step_packed_f32(vf sum[packed_rows_f32][packed_tile_vectors], const float *rows, int height,
                            const float *panel) {
    vf right[packed_tile_vectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < packed_tile_vectors; v++)
        right[v] = load(panel + v * LANES);
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        vf left = splat(rows[r]);
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_tile_vectors; v++)
            sum[r][v] += left * right[v];
    }
}

// Rows of a product of many come from further away than the panel does: while one tile is multiplied, the rows of the
// next are asked for, one line of each in the time of a line. `row_words` apart; word `k` is the one that is multiplied.
INLINE void ask_for_next_rows(const int32_t *rows, ptrdiff_t row_words, int height, ptrdiff_t k) {
    enum { line_words = 16 };
    ptrdiff_t row = k % line_words;
    if (row < height)
        __builtin_prefetch(rows + (height + row) * row_words + k - row, 0, 2);
}

// Asks for what the next tile will read, of rows that lie together: its rows come from further away than the panel does.
INLINE void ask_for_next_tile(const float *rows) {
    const float *next = rows + packed_rows_f32 * cc_row_words;
#pragma clang loop unroll(full)
    for (int word = 0; word < packed_turn_f32 * packed_rows_f32; word += 16)
        __builtin_prefetch(next + word, 0, 2);
}

// `height` is a constant at every call, so the sums live in registers.
INLINE void tile_packed_f32(const float *rows, int height, const float *panel, ptrdiff_t words, float *sums,
                            ptrdiff_t stride, int accumulate) {
    vf sum[packed_rows_f32][packed_tile_vectors] = {};
    ptrdiff_t k = 0;
    for (; k + packed_turn_f32 <= words; k += packed_turn_f32) {
        if (packed_turn_f32 > 1)
            ask_for_next_tile(rows + k * packed_rows_f32);
#pragma clang loop unroll(full)
        for (ptrdiff_t i = k; i < k + packed_turn_f32; i++)
            step_packed_f32(sum, rows + i * packed_rows_f32, height, panel + i * packed_tile_width);
    }
    for (; k < words; k++)
        step_packed_f32(sum, rows + k * packed_rows_f32, height, panel + k * packed_tile_width);
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

#include "packed_few.h"

// A few rows, one after the other, meet a panel as it is. Many, which lie together, meet an expanded one: the columns of
// a tile, which are in the nearest cache then, meet all rows before the next columns.
static void multiply_packed_f32(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                                int accumulate) {
    cc_panel panel = *of;
    if (!panel.expanded) {
        multiply_few_f32(rows, row_count, panel, sums, stride, accumulate);
        return;
    }
    for (int column = 0; column < cc_packed_width; column += packed_tile_width)
        for (ptrdiff_t row = 0; row < row_count; row += packed_rows_f32) {
            const float *left = (const float *)rows + row * cc_row_words;
            const float *right = (const float *)panel.start + column * cc_block_words;
            float *out = sums + row * stride + column;
#define TILE(n) tile_packed_f32(left, n, right, panel.words, out, stride, accumulate)
            PACKED_HEIGHTS_3(cc_min(packed_rows_f32, row_count - row), TILE)
#undef TILE
        }
}
