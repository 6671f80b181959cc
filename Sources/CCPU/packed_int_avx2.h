// Products of rows quantized to int8 with packed int8 and int4 panels in vectors of 32 bytes. See packed.h; packed_int.h
// is the same for AVX-512.
//
// The sums of a group are exact, and so the same as there: codes of weights are unsigned, shifted by an offset, and a
// group's sum starts at -offset · (sum of the row's codes).
//
// Where CC_DOT_BYTES names the dot of quadruples of bytes (AVX-VNNI), it multiplies a word of the panel by a word of
// the row. Otherwise (AVX2) pairs are multiplied:
//
//   int8    vpmaddwd: the even and the odd bytes of a word become two pairs of 16 bits. vpmaddubsw would overflow:
//           255 · 127 · 2 takes 17 bits.
//   int4    vpmaddubsw: a pair is at most 15 · 127 · 2 = 3,810, so eight words fit into 16 bits before they are widened.
//
// A row holds for each word of four codes the four bytes; by pairs, with int8 weights, 16-bit pairs of the even codes and
// of the odd ones. Behind them lie a scale and a correction for each of at most 32 groups.
#pragma once
#include "packed_f32.h"

#ifdef CC_DOT_BYTES
enum { int8_row_words = 1 }; // of a row, that meet one word of int8
#else
enum { int8_row_words = 2 };
#endif
enum {
    byte_scales_place = int8_row_words * cc_block_words,
    byte_corrections_place = byte_scales_place + 32,
    byte_row_words = byte_corrections_place + 32 + 16, // an odd number of cache lines
    byte_tile_rows = 6,
    narrow_words = 8, // words whose products fit into 16 bits
};

// Sixteen codes as bytes.
INLINE void store_bytes(int8_t *to, __m256i first, __m256i second) {
    __m256i shorts = _mm256_packs_epi32(first, second), bytes = _mm256_packs_epi16(shorts, shorts);
    __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(bytes, order)));
}

// Sixteen codes as four times two pairs: elements 0 and 2, elements 1 and 3.
INLINE void store_pairs(int16_t *to, __m256i first, __m256i second) {
    __m256i shorts = _mm256_packs_epi32(first, second);
    __m256i order = _mm256_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15, //
                                     0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
    __m256i pairs = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(shorts, order), 0xd8);
    _mm256_storeu_si256((__m256i *)to, pairs);
}

INLINE __m256 widened_eight(const uint16_t *x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)x)), 16));
}

// One group of at most 128 elements, completed by zeros; with a NaN or an infinity among them its scale is a NaN.
INLINE void quantize_group(const uint16_t *x, ptrdiff_t group, int offset, int pairs, char *codes, float *scale,
                           int32_t *correction) {
    __m256i largest = _mm256_setzero_si256(), sum = largest;
    for (ptrdiff_t i = 0; i < group; i += 8) {
        __m256i bits = _mm256_castps_si256(widened_eight(x + i));
        largest = _mm256_max_epu32(largest, _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)));
    }
    vu tops = (vu)largest;
    uint32_t top = 0;
    for (int i = 0; i < LANES; i++)
        top = tops[i] > top ? tops[i] : top;
    float magnitude;
    memcpy(&magnitude, &top, 4);
    int finite = top < 0x7f800000u;
    // Below 2^-100 the quotient would overflow: such numbers count as zero.
    __m256 factor = _mm256_set1_ps(finite && magnitude > 0x1p-100f ? 127 / magnitude : 0);
    for (ptrdiff_t i = 0; i < group; i += 16) {
        __m256i first = _mm256_cvtps_epi32(_mm256_mul_ps(widened_eight(x + i), factor));
        __m256i second = _mm256_cvtps_epi32(_mm256_mul_ps(widened_eight(x + i + 8), factor));
        if (!finite)
            first = second = _mm256_setzero_si256();
        sum = _mm256_add_epi32(sum, _mm256_add_epi32(first, second));
        if (pairs)
            store_pairs((int16_t *)codes + i, first, second);
        else
            store_bytes((int8_t *)codes + i, first, second);
    }
    vi sums = (vi)sum;
    int32_t total = 0;
    for (int i = 0; i < LANES; i++)
        total += sums[i];
    *scale = finite ? magnitude / 127 : NAN;
    *correction = -offset * total;
}

// Writes codes, scales and corrections of a row of bfloat16.
static void quantize_row_avx2(void *row, const void *x_, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)type; // always CC_BF16
    const uint16_t *x = x_;
    int pairs = offset != 8 && int8_row_words == 2;
    float *scales = (float *)row + byte_scales_place;
    int32_t *corrections = (int32_t *)row + byte_corrections_place;
    for (ptrdiff_t start = 0, i = 0; start < count; start += group, i++) {
        uint16_t rest[128] = {0};
        const uint16_t *from = x + start;
        if (count - start < group)
            from = memcpy(rest, from, (size_t)(count - start) * 2);
        quantize_group(from, group, offset, pairs, (char *)row + start * (pairs ? 2 : 1), scales + i, corrections + i);
    }
}

// A tile is some rows times `vectors` vectors of eight columns, from vector `first` on: all four vectors of a panel for
// one or two rows, two for more. `height`, `first` and `vectors` are constants at every call.
typedef struct byte_sums {
    __m256i of[byte_tile_rows][4];
} byte_sums;

// Bytes of one word of int4, for the columns of vector `v`; the second pair of vectors is in the high halves.
INLINE __m256i load_int4(const char *word, int v) {
    __m256i both = _mm256_loadu_si256((const __m256i *)(word + v % 2 * 32));
    return _mm256_and_si256(v < 2 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
}

#ifdef CC_DOT_BYTES
INLINE void add_word(byte_sums *sum, const int32_t *row, int height, const char *word, int int4, int first,
                     int vectors) {
    __m256i right[4];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++)
        right[v] = int4 ? load_int4(word, first + v) : _mm256_loadu_si256((const __m256i *)(word + (first + v) * 32));
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        __m256i left = _mm256_set1_epi32(row[r * byte_row_words]);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
            sum->of[r][v] = CC_DOT_BYTES(sum->of[r][v], right[v], left);
    }
}

INLINE void add_int8_word(byte_sums *sum, const int32_t *rows, int height, const char *word, int first, int vectors) {
    add_word(sum, rows, height, word, 0, first, vectors);
}

INLINE void add_int4_words(byte_sums *sum, const int32_t *rows, int height, const char *codes, ptrdiff_t words,
                           ptrdiff_t ahead, int first, int vectors) {
    for (ptrdiff_t k = 0; k < words; k++) {
        if (first == 0)
            ask_ahead(codes + k * 64, 64, ahead);
        add_word(sum, rows + k, height, codes + k * 64, 1, first, vectors);
    }
}
#else
// Products of one word.
INLINE void add_int8_word(byte_sums *sum, const int32_t *rows, int height, const char *word, int first, int vectors) {
#pragma clang loop unroll(full)
    for (int odd = 0; odd < 2; odd++) {
        __m256i right[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            right[v] = _mm256_loadu_si256((const __m256i *)(word + (first + v) * 32));
            right[v] = odd ? _mm256_srli_epi16(right[v], 8) : _mm256_and_si256(right[v], _mm256_set1_epi16(0xff));
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            __m256i left = _mm256_set1_epi32(rows[r * byte_row_words + odd]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++)
                sum->of[r][v] = _mm256_add_epi32(sum->of[r][v], _mm256_madd_epi16(right[v], left));
        }
    }
}

// Products of at most `narrow_words` words.
INLINE void add_int4_words(byte_sums *sum, const int32_t *rows, int height, const char *codes, ptrdiff_t words,
                           ptrdiff_t ahead, int first, int vectors) {
    __m256i narrow[byte_tile_rows][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
            narrow[r][v] = _mm256_setzero_si256();
    for (ptrdiff_t k = 0; k < words; k++) {
        if (first == 0)
            ask_ahead(codes + k * 64, 64, ahead);
        __m256i right[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
            right[v] = load_int4(codes + k * 64, first + v);
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            __m256i left = _mm256_set1_epi32(rows[r * byte_row_words + k]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++)
                narrow[r][v] = _mm256_add_epi16(narrow[r][v], _mm256_maddubs_epi16(right[v], left));
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
            sum->of[r][v] = _mm256_add_epi32(sum->of[r][v], _mm256_madd_epi16(narrow[r][v], _mm256_set1_epi16(1)));
}
#endif

// One group of some vectors of columns, from vector `first` on.
INLINE void tile_bytes(const int32_t *rows, panel_group group, int height, int int4, int first, int vectors, float *sums,
                       ptrdiff_t stride, int accumulate) {
    byte_sums sum;
    if (first == 0)
        touch_scales(group.scales);
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++)
            sum.of[r][v] = _mm256_set1_epi32(rows[r * byte_row_words + byte_corrections_place + group.index]);
    if (int4)
        for (ptrdiff_t k = 0; k < group.words; k += narrow_words)
            add_int4_words(&sum, rows + group.first + k, height, group.codes + k * 64,
                           cc_min(narrow_words, group.words - k), group.ahead, first, vectors);
    else
        for (ptrdiff_t k = 0; k < group.words; k++) {
            if (first == 0)
                ask_ahead(group.codes + k * 128, 128, group.ahead);
            add_int8_word(&sum, rows + int8_row_words * (group.first + k), height, group.codes + k * 128, first, vectors);
        }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        float scale_of_row;
        memcpy(&scale_of_row, rows + r * byte_row_words + byte_scales_place + group.index, 4);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            float *to = sums + r * stride + (first + v) * LANES;
            vf value = (vf)_mm256_cvtepi32_ps(sum.of[r][v]), before = accumulate ? load(to) : splat(0);
            store(to, before + value * (load_scales(group.scales, first + v) * splat(scale_of_row)));
        }
    }
}

static int direct_bytes(int format, ptrdiff_t rows) {
    (void)rows;
    return format == CC_PACKED_INT8 || format == CC_PACKED_INT4;
}

INLINE void multiply_bytes_typed(const int32_t *rows, int height, cc_panel panel, int int4, float *sums,
                                 ptrdiff_t stride, int accumulate) {
    const int vectors = height <= 2 ? 4 : 2;
    for (panel_group group = first_group(panel, int4); group.first < panel.words; go_to_next_group(&group, panel))
#pragma clang loop unroll(full)
        for (int v = 0; v < 4; v += vectors)
            tile_bytes(rows, group, height, int4, v, vectors, sums, stride, accumulate || group.index > 0);
}

static void multiply_bytes(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                           int accumulate) {
    cc_panel panel = *of;
    // Tiles of equal heights: a last tile of one row would unpack every word for that row alone.
    ptrdiff_t tiles = cc_ceil_div(row_count, byte_tile_rows), height = cc_ceil_div(row_count, tiles);
    for (ptrdiff_t row = 0; row < row_count; row += height) {
        const int32_t *left = (const int32_t *)rows + row * byte_row_words;
        float *out = sums + row * stride;
        ptrdiff_t count = cc_min(height, row_count - row);
#define TILE(n) multiply_bytes_typed(left, n, panel, 0, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT8)
            PACKED_HEIGHTS_3(count, TILE)
#undef TILE
#define TILE(n) multiply_bytes_typed(left, n, panel, 1, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT4)
            PACKED_HEIGHTS_3(count, TILE)
#undef TILE
    }
}

const cc_packed_path CC_BYTES = {.per_word = 4,
                                 .row_words = byte_row_words,
                                 .tile_rows = 2 * byte_tile_rows,
                                 .together = 1,
                                 .fill_row = quantize_row_avx2,
                                 .direct = direct_bytes,
                                 .multiply = multiply_bytes};
