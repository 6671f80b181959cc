// Products in float32: packing, the tile, and the dot of few rows. See kernels.h for the layouts.
#pragma once
#include "rowwise.h"

// MARK: Packing

static void fill_row_f32(void *row, const void *x, int type, ptrdiff_t count) { widen(row, x, type, count); }

// One round of a transposition by perfect shuffles: log2(LANES) rounds transpose LANES × LANES words.
#if CC_VECTOR_BYTES == 64
#define LOW_HALVES(a, b)                                                                                               \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_HALVES(a, b)                                                                                              \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif CC_VECTOR_BYTES == 32
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

INLINE void transpose(vf *v) {
#pragma clang loop unroll(full)
    for (int round = 1; round < LANES; round *= 2) {
        vf w[LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
            w[2 * i] = LOW_HALVES(v[i], v[i + LANES / 2]);
            w[2 * i + 1] = HIGH_HALVES(v[i], v[i + LANES / 2]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++)
            v[i] = w[i];
    }
}

INLINE void pack_transposed_typed(float *panel, const void *const *rows, int type, ptrdiff_t count) {
    for (int column = 0; column < cc_panel_width; column += LANES) {
        ptrdiff_t k = 0;
        for (; k + LANES <= count; k += LANES) {
            vf v[LANES];
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                v[i] = load_as(rows[column + i], type, k);
            transpose(v);
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                store(panel + (k + i) * cc_panel_width + column, v[i]);
        }
        for (; k < count; k++)
            for (int i = 0; i < LANES; i++)
                panel[k * cc_panel_width + column + i] = widen_one(rows[column + i], type, k);
    }
}

static void pack_transposed_f32(void *panel, const void *const *rows, int type, ptrdiff_t count) {
    static const float zeros[cc_block_words];
    const void *present[cc_panel_width];
    for (int i = 0; i < cc_panel_width; i++)
        present[i] = rows[i] ? rows[i] : zeros;
    if (type == CC_F32)
        pack_transposed_typed(panel, present, CC_F32, count);
    else if (type == CC_BF16)
        pack_transposed_typed(panel, present, CC_BF16, count);
    else
        pack_transposed_typed(panel, present, CC_F16, count);
}

INLINE void pack_straight_typed(float *panel, const void *const *rows, ptrdiff_t count, int type, ptrdiff_t width) {
    ptrdiff_t column = 0;
    for (; column + cc_panel_width <= width; column += cc_panel_width)
        for (ptrdiff_t k = 0; k < count; k++, panel += cc_panel_width)
#pragma clang loop unroll(full)
            for (int i = 0; i < cc_panel_width; i += LANES)
                store(panel + i, load_as(rows[k], type, column + i));
    if (column < width)
        for (ptrdiff_t k = 0; k < count; k++, panel += cc_panel_width)
            for (ptrdiff_t i = 0; i < cc_panel_width; i++)
                panel[i] = column + i < width ? widen_one(rows[k], type, column + i) : 0;
}

static void pack_straight_f32(void *panels, const void *const *rows, ptrdiff_t count, int type, ptrdiff_t width) {
    if (type == CC_F32)
        pack_straight_typed(panels, rows, count, CC_F32, width);
    else if (type == CC_BF16)
        pack_straight_typed(panels, rows, count, CC_BF16, width);
    else
        pack_straight_typed(panels, rows, count, CC_F16, width);
}

// MARK: The tile

#if CC_VECTOR_BYTES == 64
enum { tile_rows = 14, tile_panels = 2 };
#elif CC_VECTOR_BYTES == 32
enum { tile_rows = 6, tile_panels = 1 };
#elif defined(__aarch64__)
enum { tile_rows = 6, tile_panels = 1 };
#else
enum { tile_rows = 3, tile_panels = 1 };
#endif
enum { panel_vectors = cc_panel_width / LANES };

// row_count and panels are constants at every call, so the sums live in registers.
INLINE void tile_f32(const float *rows, int row_count, const float *panel, int panels, ptrdiff_t words, float *sums,
                     ptrdiff_t stride, int accumulate) {
    vf sum[tile_rows][tile_panels * panel_vectors] = {};
    for (ptrdiff_t k = 0; k < words; k++) {
        vf right[tile_panels * panel_vectors];
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++)
#pragma clang loop unroll(full)
            for (int v = 0; v < panel_vectors; v++)
                right[p * panel_vectors + v] = load(panel + (p * words + k) * cc_panel_width + v * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < row_count; r++) {
            vf left = splat(rows[r * cc_row_words + k]);
#pragma clang loop unroll(full)
            for (int v = 0; v < panels * panel_vectors; v++)
                sum[r][v] += left * right[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < row_count; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < panels * panel_vectors; v++) {
            float *to = sums + r * stride + v * LANES;
            store(to, accumulate ? load(to) + sum[r][v] : sum[r][v]);
        }
}

#define TILE_CASE(tile, n)                                                                                             \
    case n:                                                                                                            \
        if (tile_panels == 2 && panels == 2)                                                                           \
            tile(left, n, right, tile_panels, words, out, stride, accumulate);                                         \
        else                                                                                                           \
            tile(left, n, right, 1, words, out, stride, accumulate);                                                   \
        break;

// Rows outside, panels inside: a few rows stay in the first-level cache while the panels stream past them.
#define DEFINE_MULTIPLY(name, word, tile)                                                                              \
    static void name(const void *rows, ptrdiff_t row_count, const void *panels_, ptrdiff_t panel_count,                \
                     ptrdiff_t words, float *sums, ptrdiff_t stride, int accumulate) {                                 \
        for (ptrdiff_t row = 0; row < row_count; row += tile_rows) {                                                   \
            const word *left = (const word *)rows + row * cc_row_words;                                                \
            int height = (int)cc_min(tile_rows, row_count - row);                                                      \
            for (ptrdiff_t panel = 0; panel < panel_count; panel += tile_panels) {                                     \
                const word *right = (const word *)panels_ + panel * words * cc_panel_width;                            \
                float *out = sums + row * stride + panel * cc_panel_width;                                             \
                int panels = (int)cc_min(tile_panels, panel_count - panel);                                            \
                switch (height) { ALL_HEIGHTS(tile) }                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    }

#if CC_VECTOR_BYTES == 64
#define ALL_HEIGHTS(tile)                                                                                              \
    TILE_CASE(tile, 1)                                                                                                 \
    TILE_CASE(tile, 2)                                                                                                 \
    TILE_CASE(tile, 3)                                                                                                 \
    TILE_CASE(tile, 4)                                                                                                 \
    TILE_CASE(tile, 5)                                                                                                 \
    TILE_CASE(tile, 6)                                                                                                 \
    TILE_CASE(tile, 7)                                                                                                 \
    TILE_CASE(tile, 8)                                                                                                 \
    TILE_CASE(tile, 9)                                                                                                 \
    TILE_CASE(tile, 10)                                                                                                \
    TILE_CASE(tile, 11)                                                                                                \
    TILE_CASE(tile, 12)                                                                                                \
    TILE_CASE(tile, 13)                                                                                                \
    TILE_CASE(tile, 14)
#elif CC_VECTOR_BYTES == 32 || defined(__aarch64__)
#define ALL_HEIGHTS(tile)                                                                                              \
    TILE_CASE(tile, 1)                                                                                                 \
    TILE_CASE(tile, 2)                                                                                                 \
    TILE_CASE(tile, 3)                                                                                                 \
    TILE_CASE(tile, 4)                                                                                                 \
    TILE_CASE(tile, 5)                                                                                                 \
    TILE_CASE(tile, 6)
#else
#define ALL_HEIGHTS(tile)                                                                                              \
    TILE_CASE(tile, 1)                                                                                                 \
    TILE_CASE(tile, 2)                                                                                                 \
    TILE_CASE(tile, 3)
#endif

DEFINE_MULTIPLY(multiply_f32, float, tile_f32)

// MARK: Few rows

// Weights are read once for a group of rows, four of their rows side by side, which also hides the latency of the
// additions. The order of additions is the same for every group, so a row does not notice its neighbors.
#if CC_VECTOR_BYTES == 64
enum { dot_group = 4 };
#else
enum { dot_group = 2 };
#endif
enum { dot_columns = 4 };

// `group`, `columns` and `type` are constants at each call, so the sums live in registers.
INLINE void dot_f32(const float *x, ptrdiff_t x_stride, int group, const char *weight, int columns, int type,
                    ptrdiff_t depth, float *out, ptrdiff_t out_stride) {
    const ptrdiff_t size = type == CC_F32 ? 4 : 2, row_bytes = depth * size;
    vf sum[dot_group][dot_columns] = {};
    ptrdiff_t k = 0;
    for (; k + LANES <= depth; k += LANES) {
        vf w[dot_columns];
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) {
            __builtin_prefetch(weight + (dot_columns + n) * row_bytes + k * size, 0, 2);
            w[n] = load_as(weight + n * row_bytes, type, k);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < group; r++) {
            vf left = load(x + r * x_stride + k);
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++)
                sum[r][n] += left * w[n];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < group; r++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) {
            float rest = 0;
            for (ptrdiff_t i = k; i < depth; i++)
                rest += x[r * x_stride + i] * widen_one(weight + n * row_bytes, type, i);
            out[r * out_stride + n] = sum_lanes(sum[r][n]) + rest;
        }
}

// Runs `dot` for every row and column: groups of rows inside groups of columns.
#define FOR_ROWS_AND_COLUMNS(dot)                                                                                      \
    for (ptrdiff_t n = 0, wide; n < columns; n += wide ? dot_columns : 1) {                                            \
        wide = columns - n >= dot_columns;                                                                             \
        ptrdiff_t r = 0;                                                                                               \
        for (; r + dot_group <= rows; r += dot_group) {                                                                \
            if (wide)                                                                                                  \
                dot(dot_group, dot_columns);                                                                           \
            else                                                                                                       \
                dot(dot_group, 1);                                                                                     \
        }                                                                                                              \
        for (; r < rows; r++) {                                                                                        \
            if (wide)                                                                                                  \
                dot(1, dot_columns);                                                                                   \
            else                                                                                                       \
                dot(1, 1);                                                                                             \
        }                                                                                                              \
    }

INLINE void dot_rows_typed(const float *x, ptrdiff_t x_stride, ptrdiff_t rows, const char *weight, int type,
                           ptrdiff_t depth, ptrdiff_t columns, float *out, ptrdiff_t out_stride) {
#define DOT(group, wide)                                                                                               \
    dot_f32(x + r * x_stride, x_stride, group, weight + n * depth * (type == CC_F32 ? 4 : 2), wide, type, depth,       \
            out + r * out_stride + n, out_stride)
    FOR_ROWS_AND_COLUMNS(DOT)
#undef DOT
}

static void dot_rows_f32(const void *x, ptrdiff_t x_stride, ptrdiff_t rows, const void *weight, int type,
                         ptrdiff_t depth, ptrdiff_t columns, float *out, ptrdiff_t out_stride) {
    if (type == CC_F32)
        dot_rows_typed(x, x_stride, rows, weight, CC_F32, depth, columns, out, out_stride);
    else if (type == CC_BF16)
        dot_rows_typed(x, x_stride, rows, weight, CC_BF16, depth, columns, out, out_stride);
    else
        dot_rows_typed(x, x_stride, rows, weight, CC_F16, depth, columns, out, out_stride);
}
