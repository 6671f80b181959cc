// Products of rows quantized to int8 with packed int8 and int4 panels, by the dot of quadruples of bytes of ARMv8.2
// (sdot). See packed.h; packed_int.h is the same for AVX-512.
//
// The instruction multiplies signed bytes. Codes of int8 lose their shift when they are read; those of int4 keep it, and
// a group's sum starts at -8 · (sum of the row's codes), which takes it back. Groups are summed exactly, in int32, so the
// sums are those of every other instruction set.
#pragma once
#include "packed_f32.h"

enum {
    dot_scales_place = cc_block_words,
    dot_corrections_place = dot_scales_place + 32,
    dot_tile_rows = 6,
    dot_tile_vectors = 4, // 16 columns: one half of the bytes of int4
};

// Sixteen codes of finite numbers times a factor, to the nearest integer.
INLINE int8x16_t sixteen_codes(const uint16_t *x, float factor) {
    int32x4_t codes[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        float32x4_t value = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x + 4 * i), 16));
        codes[i] = vcvtnq_s32_f32(vmulq_n_f32(value, factor));
    }
    int16x8_t low = vcombine_s16(vqmovn_s32(codes[0]), vqmovn_s32(codes[1]));
    int16x8_t high = vcombine_s16(vqmovn_s32(codes[2]), vqmovn_s32(codes[3]));
    return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
}

// One group of at most 128 elements, completed by zeros; with a NaN or an infinity among them its scale is a NaN.
static void quantize_group_neon(const uint16_t *x, ptrdiff_t group, int offset, int8_t *codes, float *scale,
                                int32_t *correction) {
    uint16x8_t largest = vdupq_n_u16(0);
    for (ptrdiff_t i = 0; i < group; i += 8)
        largest = vmaxq_u16(largest, vandq_u16(vld1q_u16(x + i), vdupq_n_u16(0x7fff)));
    uint32_t top = (uint32_t)vmaxvq_u16(largest) << 16;
    float magnitude;
    memcpy(&magnitude, &top, 4);
    int finite = top < 0x7f800000u;
    // Below 2^-100 the quotient would overflow: such numbers count as zero.
    float factor = finite && magnitude > 0x1p-100f ? 127 / magnitude : 0;
    int32x4_t sum = vdupq_n_s32(0);
    for (ptrdiff_t i = 0; i < group; i += 16) {
        int8x16_t sixteen = finite ? sixteen_codes(x + i, factor) : vdupq_n_s8(0);
        sum = vdotq_s32(sum, sixteen, vdupq_n_s8(1));
        vst1q_s8(codes + i, sixteen);
    }
    *scale = finite ? magnitude / 127 : NAN;
    *correction = -offset * vaddvq_s32(sum);
}

// Writes codes, scales and corrections of a row of bfloat16.
static void quantize_row_neon(void *row, const void *x_, int type, ptrdiff_t count, ptrdiff_t group, int offset) {
    (void)type; // always CC_BF16
    const uint16_t *x = x_;
    float *scales = (float *)row + dot_scales_place;
    int32_t *corrections = (int32_t *)row + dot_corrections_place;
    for (ptrdiff_t start = 0, i = 0; start < count; start += group, i++) {
        uint16_t rest[128] = {0};
        const uint16_t *from = x + start;
        if (count - start < group)
            from = memcpy(rest, from, (size_t)(count - start) * 2);
        // The kernels take back the shift of int8 where they read the codes.
        quantize_group_neon(from, group, offset == 8 ? offset : 0, (int8_t *)row + start, scales + i, corrections + i);
    }
}

static int direct_dot(int format, ptrdiff_t rows) {
    (void)rows;
    return format == CC_PACKED_INT8 || format == CC_PACKED_INT4;
}

// Codes of four columns, vector `v` of eight.
INLINE int8x16_t panel_codes(const char *word, int int4, int v) {
    if (!int4)
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8((const uint8_t *)word + v * 16), vdupq_n_u8(0x80)));
    uint8x16_t both = vld1q_u8((const uint8_t *)word + v % 4 * 16);
    return vreinterpretq_s8_u8(v < 4 ? vandq_u8(both, vdupq_n_u8(15)) : vshrq_n_u8(both, 4));
}

INLINE float scale_of_group(const int32_t *row, ptrdiff_t group) {
    float scale;
    memcpy(&scale, row + dot_scales_place + group, 4);
    return scale;
}

// Adds a group's sums of four columns to those of the row, scaled.
INLINE void add_scaled(float *sums, panel_scales scales, int v, float scale_of_row, int32x4_t sum,
                       int accumulate) {
    vf value = (vf)vcvtq_f32_s32(sum), before = accumulate ? load(sums + v * LANES) : splat(0);
    store(sums + v * LANES, before + value * (load_scales(scales, v) * splat(scale_of_row)));
}

// One group and one half of the columns. `height`, `int4` and `first` are constants at every call, so the sums live in
// registers.
INLINE void tile_dot(const int32_t *rows, panel_group group, int height, int int4, int first, float *sums,
                     ptrdiff_t stride, int accumulate) {
    int32x4_t sum[dot_tile_rows][dot_tile_vectors];
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < dot_tile_vectors; v++)
            sum[r][v] = vdupq_n_s32(rows[r * cc_quantized_row_words + dot_corrections_place + group.index]);
    for (ptrdiff_t k = 0; k < group.words; k++) {
        int8x16_t right[dot_tile_vectors];
#pragma clang loop unroll(full)
        for (int v = 0; v < dot_tile_vectors; v++)
            right[v] = panel_codes(group.codes + k * (int4 ? 64 : 128), int4, first + v);
#pragma clang loop unroll(full)
        for (int r = 0; r < height; r++) {
            int8x16_t left = vreinterpretq_s8_s32(vdupq_n_s32(rows[r * cc_quantized_row_words + group.first + k]));
#pragma clang loop unroll(full)
            for (int v = 0; v < dot_tile_vectors; v++)
                sum[r][v] = vdotq_s32(sum[r][v], right[v], left);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
        float scale_of_row = scale_of_group(rows + r * cc_quantized_row_words, group.index);
#pragma clang loop unroll(full)
        for (int v = 0; v < dot_tile_vectors; v++)
            add_scaled(sums + r * stride, group.scales, first + v, scale_of_row, sum[r][v], accumulate);
    }
}

INLINE void multiply_dot_typed(const int32_t *rows, int height, cc_panel panel, int int4, float *sums,
                               ptrdiff_t stride, int accumulate) {
    for (panel_group group = first_group(panel, int4); group.first < panel.words; go_to_next_group(&group, panel))
#pragma clang loop unroll(full)
        for (int v = 0; v < packed_vectors; v += dot_tile_vectors)
            tile_dot(rows, group, height, int4, v, sums, stride, accumulate || group.index > 0);
}

static void multiply_dot(const void *rows, ptrdiff_t row_count, const cc_panel *of, float *sums, ptrdiff_t stride,
                         int accumulate) {
    cc_panel panel = *of;
    for (ptrdiff_t row = 0; row < row_count; row += dot_tile_rows) {
        const int32_t *left = (const int32_t *)rows + row * cc_quantized_row_words;
        float *out = sums + row * stride;
        ptrdiff_t height = cc_min(dot_tile_rows, row_count - row);
#define TILE(n) multiply_dot_typed(left, n, panel, 0, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT8)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
#define TILE(n) multiply_dot_typed(left, n, panel, 1, out, stride, accumulate)
        if (panel.format == CC_PACKED_INT4)
            PACKED_HEIGHTS_3(height, TILE)
#undef TILE
    }
}

static const cc_packed_path bytes_dot = {.per_word = 4,
                                         .row_words = cc_quantized_row_words,
                                         .tile_rows = 2 * dot_tile_rows,
                                         .together = 1,
                                         .fill_row = quantize_row_neon,
                                         .direct = direct_dot,
                                         .multiply = multiply_dot};
