// Products of bfloat16 rows with packed bfloat16 and fp8 panels, by vdpbf16ps (AVX-512 BF16). See packed.h.
#pragma once
#include "packed_f32.h"
#include "product_bf16.h"

enum { packed_step_bf16 = tile_rows };

static void fill_packed_row_bf16(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)group, (void)offset;
    fill_row_bf16(row, x, type, count);
}

typedef uint8_t v_bytes __attribute__((vector_size(64)));

INLINE v_bytes look_up(const uint8_t table[16], v_bytes index) {
    __m512i tables = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (v_bytes)_mm512_shuffle_epi8(tables, (__m512i)index);
}

// The 64 e4m3fn numbers of a word as bfloat16, exactly, but a NaN as 480 (see widen_fp8), a byte at a time: sign and
// exponent give the high one, the fraction the low one. vdpbf16ps takes subnormal numbers for zero, so those of e4m3fn,
// which are normal as bfloat16, are looked up.
INLINE void widen_fp8_word(vi pairs[2], const char *codes) {
    static const uint8_t highs[16] = {0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x41, 0x42, 0x43,
                                      0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3};
    static const uint8_t subnormal_lows[16] = {0, 0, 0x80, 0xc0, 0, 0x20, 0x40, 0x60};
    static const uint8_t subnormal_less[16] = {0x3c, 1, 1, 1}; // than the exponent of the others
    // Bytes are joined within quarters of a vector: the halves of each quarter are the columns that are joined together.
    __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    v_bytes code = (v_bytes)_mm512_permutexvar_epi64(order, _mm512_loadu_si512(codes));
    v_bytes small = (v_bytes)((code & 0x78) == 0), fraction = code & 7;
    v_bytes high = look_up(highs, code >> 4) - (small & look_up(subnormal_less, fraction));
    v_bytes low = (small & look_up(subnormal_lows, fraction)) | (~small & code << 4);
    pairs[0] = (vi)_mm512_unpacklo_epi8((__m512i)low, (__m512i)high);
    pairs[1] = (vi)_mm512_unpackhi_epi8((__m512i)low, (__m512i)high);
}

static void expand_bf16(void *words, cc_panel panel) {
    const char *from = cc_panel_word(panel, panel.first);
    for (ptrdiff_t i = 0; i < panel.words; i++) {
        vi pairs[2];
        ask_ahead(from + i * 64, 64, panel.ahead);
        widen_fp8_word(pairs, from + i * 64);
        memcpy((char *)words + i * 128, pairs, 128);
    }
}

// A single tile uses each word once: writing it down first would not pay.
static int direct_bf16(int format, ptrdiff_t rows) { return format == CC_PACKED_BF16 || rows <= tile_rows; }

// `height` and `fp8` are constants at every call, so the sums live in registers.
INLINE void tile_packed_bf16(const int32_t *rows, int height, const char *panel, int fp8, ptrdiff_t words,
                             ptrdiff_t ahead, float *sums, ptrdiff_t stride, int accumulate) {
    vf sum[tile_rows][2] = {};
    for (ptrdiff_t k = 0; k < words; k++) {
        vi right[2];
        if (height == tile_rows)
            ask_for_next_rows(rows, cc_row_words, height, k);
        ask_ahead(panel + k * (fp8 ? 64 : 128), fp8 ? 64 : 128, ahead);
        if (fp8) {
            widen_fp8_word(right, panel + k * 64);
        } else {
            right[0] = load_words(panel + k * 128);
            right[1] = load_words(panel + k * 128 + 64);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            vi left = rows[r * cc_row_words + k] - (vi){};
            sum[r][0] = dot_pairs(sum[r][0], left, right[0]);
            sum[r][1] = dot_pairs(sum[r][1], left, right[1]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) {
            float *to = sums + r * stride + v * LANES;
            store(to, accumulate ? load(to) + sum[r][v] : sum[r][v]);
        }
}

static void multiply_packed_bf16(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                                 int accumulate) {
    cc_panel panel = *of;
    const char *right = cc_panel_word(panel, panel.first);
    for (ptrdiff_t row = 0; row < row_count; row += tile_rows) {
        const int32_t *left = (const int32_t *)rows + row * cc_row_words;
        float *out = sums + row * stride;
        ptrdiff_t height = cc_min(tile_rows, row_count - row);
#define TILE(n) tile_packed_bf16(left, n, right, 0, panel.words, panel.ahead, out, stride, accumulate)
        if (panel.format == CC_PACKED_BF16)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
#define TILE(n) tile_packed_bf16(left, n, right, 1, panel.words, panel.ahead, out, stride, accumulate)
        if (panel.format == CC_PACKED_FP8)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
    }
}
