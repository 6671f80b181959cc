// Products of rows quantized to int8 with packed int8 and int4 panels, by vpdpbusd (AVX-512 VNNI). See packed.h.
//
// The instruction multiplies unsigned bytes by signed ones: the weights' codes are shifted by an offset, and a group's
// sum starts at -offset · (sum of the row's codes), which takes the shift back. Groups are summed exactly, in int32;
// their scaled sums are added in float32.
#pragma once
#include "packed_f32.h"

enum { scales_place = 512, corrections_place = 512 + 32 };

// Writes codes, scales and corrections of a row, bfloat16; a group with a NaN or an infinity gets a NaN for its scale.
static void quantize_row(void *row, const void *x_, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)type; // always CC_BF16
    const uint16_t *x = x_;
    int8_t *codes = row;
    float *scales = (float *)row + scales_place;
    int32_t *corrections = (int32_t *)row + corrections_place;
    for (ptrdiff_t start = 0; start < count; start += group, codes += group, scales++, corrections++) {
        __m512i bits[8];
        __m512i largest = _mm512_setzero_si512();
        ptrdiff_t vectors = group / 16;
        for (ptrdiff_t i = 0; i < vectors; i++) {
            ptrdiff_t left = cc_max(0, cc_min(16, count - start - i * 16));
            __mmask16 mask = (__mmask16)((1u << left) - 1);
            __m256i half = _mm256_maskz_loadu_epi16(mask, x + start + i * 16);
            bits[i] = _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
            largest = _mm512_max_epu32(largest, _mm512_and_si512(bits[i], _mm512_set1_epi32(0x7fffffff)));
        }
        uint32_t top = _mm512_reduce_max_epu32(largest);
        float magnitude;
        memcpy(&magnitude, &top, 4);
        int finite = top < 0x7f800000u;
        // Below 2^-100 the quotient would overflow: such numbers count as zero.
        float factor = finite && magnitude > 0x1p-100f ? 127 / magnitude : 0;
        __m512i sum = _mm512_setzero_si512();
        for (ptrdiff_t i = 0; i < vectors; i++) {
            __m512 scaled = _mm512_mul_ps(_mm512_castsi512_ps(bits[i]), _mm512_set1_ps(factor));
            __m512i code = finite ? _mm512_cvtps_epi32(scaled) : _mm512_setzero_si512();
            sum = _mm512_add_epi32(sum, code);
            _mm_storeu_si128((__m128i *)(codes + i * 16), _mm512_cvtsepi32_epi8(code));
        }
        *scales = finite ? magnitude / 127 : NAN;
        *corrections = -offset * _mm512_reduce_add_epi32(sum);
    }
}

static int direct_int(int format, ptrdiff_t rows) {
    (void)rows;
    return format == CC_PACKED_INT8 || format == CC_PACKED_INT4;
}

// One group. `height` and `int4` are constants at every call. A high half counts 16 times: what it makes is divided at the
// end.
INLINE void tile_group(const int32_t *rows, panel_group group, int height, int int4, float *sums, ptrdiff_t stride,
                       int accumulate) {
    const ptrdiff_t bytes = int4 ? 64 : 128;
    touch_scales(group.scales);
    __m512i sum[tile_rows][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        int32_t correction = rows[r * cc_quantized_row_words + corrections_place + group.index];
        sum[r][0] = _mm512_set1_epi32(correction);
        sum[r][1] = _mm512_set1_epi32(int4 ? correction * 16 : correction);
    }
    for (ptrdiff_t k = 0; k < group.words; k++) {
        if (height == tile_rows)
            ask_for_next_rows(rows, cc_quantized_row_words, height, group.first + k);
        ask_ahead(group.codes + k * bytes, bytes, group.ahead);
        __m512i right[2] = {_mm512_loadu_si512(group.codes + k * bytes)};
        if (int4) {
            right[1] = _mm512_and_si512(right[0], _mm512_set1_epi8((char)0xf0));
            right[0] = _mm512_and_si512(right[0], _mm512_set1_epi8(0x0f));
        } else {
            right[1] = _mm512_loadu_si512(group.codes + k * bytes + 64);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            __m512i left = _mm512_set1_epi32(rows[r * cc_quantized_row_words + group.first + k]);
            sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], right[0], left);
            sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], right[1], left);
        }
    }
    vf scale[2] = {load_scales(group.scales, 0), load_scales(group.scales, 1)};
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        float scale_of_row;
        memcpy(&scale_of_row, rows + r * cc_quantized_row_words + scales_place + group.index, 4);
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) {
            __m512i total = int4 && v == 1 ? _mm512_srai_epi32(sum[r][v], 4) : sum[r][v];
            float *to = sums + r * stride + v * LANES;
            vf value = (vf)_mm512_cvtepi32_ps(total), before = accumulate ? load(to) : splat(0);
            store(to, before + value * (scale[v] * splat(scale_of_row)));
        }
    }
}

INLINE void multiply_int_typed(const int32_t *rows, int height, cc_panel panel, int int4, float *sums, ptrdiff_t stride,
                               int accumulate) {
    for (panel_group group = first_group(panel, int4); group.first < panel.words; go_to_next_group(&group, panel))
        tile_group(rows, group, height, int4, sums, stride, accumulate || group.index > 0);
}

static void multiply_packed_int(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                                int accumulate) {
    cc_panel panel = *of;
    for (ptrdiff_t row = 0; row < row_count; row += tile_rows) {
        const int32_t *left = (const int32_t *)rows + row * cc_quantized_row_words;
        float *out = sums + row * stride;
        ptrdiff_t height = cc_min(tile_rows, row_count - row);
#define TILE(n) multiply_int_typed(left, n, panel, 0, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT8)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
#define TILE(n) multiply_int_typed(left, n, panel, 1, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT4)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
    }
}

static const cc_packed_path bytes_vnni = {.per_word = 4,
                                          .row_words = cc_quantized_row_words,
                                          .tile_rows = tile_rows,
                                          .together = 1,
                                          .fill_row = quantize_row,
                                          .direct = direct_int,
                                          .multiply = multiply_packed_int};
