// Products of bfloat16 rows with packed bfloat16 and fp8 panels, by vdpbf16ps (AVX-512 BF16). See packed.h.
#pragma once
#include "packed_f32.h"
#include "product_bf16.h"

enum { packed_step_bf16 = tile_rows };

static void fill_packed_row_bf16(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)group, (void)offset;
    fill_row_bf16(row, x, type, count);
}

// 32 e4m3fn numbers as bfloat16, exactly, but a NaN as 480 (see widen_fp8). vdpbf16ps takes subnormal numbers for zero,
// so those of e4m3fn are looked up.
INLINE vi widen_fp8_pairs(const char *codes) {
    static const uint16_t subnormal[32] = {0, 0x3b00, 0x3b80, 0x3bc0, 0x3c00, 0x3c20, 0x3c40, 0x3c60};
    __m512i code = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)codes));
    __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi16(0x7f));
    __m512i value = _mm512_add_epi16(_mm512_slli_epi16(magnitude, 4), _mm512_set1_epi16(120 << 7));
    __mmask32 small = _mm512_cmplt_epi16_mask(magnitude, _mm512_set1_epi16(8));
    value = _mm512_mask_permutexvar_epi16(value, small, magnitude, _mm512_loadu_si512(subnormal));
    __m512i sign = _mm512_and_si512(_mm512_slli_epi16(code, 8), _mm512_set1_epi16((short)0x8000));
    return (vi)_mm512_or_si512(value, sign);
}

static void expand_bf16(void *words, cc_panel panel) {
    const char *from = panel.start + cc_packed_offset(CC_PACKED_FP8, 0, panel.first);
    for (ptrdiff_t i = 0; i < panel.words * 2; i++) {
        vi pairs = widen_fp8_pairs(from + i * 32);
        memcpy((char *)words + i * 64, &pairs, 64);
    }
}

static int direct_bf16(int format, ptrdiff_t rows) { return format == CC_PACKED_BF16 || rows <= 2; }

// `height` and `fp8` are constants at every call, so the sums live in registers.
INLINE void tile_packed_bf16(const int32_t *rows, int height, const char *panel, int fp8, ptrdiff_t words, float *sums,
                             ptrdiff_t stride, int accumulate) {
    vf sum[tile_rows][2] = {};
    for (ptrdiff_t k = 0; k < words; k++) {
        vi right[2];
        if (height == tile_rows)
            ask_for_next_rows(rows, cc_row_words, height, k);
        if (fp8) {
            right[0] = widen_fp8_pairs(panel + k * 64);
            right[1] = widen_fp8_pairs(panel + k * 64 + 32);
        } else {
            ask_for_words(panel + k * 128, 128);
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

static void multiply_packed_bf16(const void *rows, ptrdiff_t row_count, cc_panel panel, float *sums, ptrdiff_t stride,
                                 int accumulate) {
    const char *right = panel.start + cc_packed_offset(panel.format, 0, panel.first);
    for (ptrdiff_t row = 0; row < row_count; row += tile_rows) {
        const int32_t *left = (const int32_t *)rows + row * cc_row_words;
        float *out = sums + row * stride;
        ptrdiff_t height = cc_min(tile_rows, row_count - row);
#define TILE(n) tile_packed_bf16(left, n, right, 0, panel.words, out, stride, accumulate)
        if (panel.format == CC_PACKED_BF16)
            PACKED_HEIGHTS_3(height, TILE)
        else if (height == 1)
            tile_packed_bf16(left, 1, right, 1, panel.words, out, stride, accumulate);
        else
            tile_packed_bf16(left, 2, right, 1, panel.words, out, stride, accumulate);
#undef TILE
    }
}
