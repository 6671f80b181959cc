// Products and sums with one query per lane, for attention. Both operands are panels of kernels.h:
//
//     scores  [query panel][key][16]      = keys   [key panel][depth][16]   x  queries       [query panel][depth][16]
//     output  [query panel][column][16]   = values [column panel][keys][16] x  probabilities [query panel][keys][16]
//
// The left operand is broadcast word by word, the right one is read as vectors. Because a lane is a query, the
// softmax between the two products needs no sum across lanes, and lanes never meet: a query's result does not
// depend on its neighbors.
#pragma once
#include "product_f32.h"
#include "quantized.h"
#include "softmax.h"

// Rows of a tile for 1, 2 and 3 panels at once; divisors of 16. The sums fill the registers.
#if CC_VECTOR_BYTES == 64
enum { lane_panels = 3, lane_rows_of_1 = 16, lane_rows_of_2 = 8, lane_rows_of_3 = 8 };
#elif CC_VECTOR_BYTES == 32 || defined(__aarch64__)
enum { lane_panels = 1, lane_rows_of_1 = 4, lane_rows_of_2 = 4, lane_rows_of_3 = 4 };
#else
enum { lane_panels = 1, lane_rows_of_1 = 2, lane_rows_of_2 = 2, lane_rows_of_3 = 2 };
#endif
enum { lane_vectors = cc_panel_width / LANES };

INLINE vf lane_step_f32(vf sum, const float *left, const float *right) { return sum + splat(*left) * load(right); }

#ifdef CC_HAS_BF16_DOT
// The broadcast is the last operand because only that one can be read from memory by the multiplication itself.
INLINE vf lane_step_bf16(vf sum, const int32_t *left, const int32_t *right) {
    return dot_pairs(sum, load_words(right), *left - (vi){});
}
#endif

enum { line_bytes = 64 };

// How far the asking for later rows has come: one line of each matrix per step of the depth.
typedef struct asking {
    const cc_ahead *rows;
    ptrdiff_t row, line; // bytes
} asking;

INLINE void ask(asking *a) {
    __builtin_prefetch(a->rows->first + a->row + a->line, 0, 2);
    __builtin_prefetch(a->rows->second + a->row + a->line, 0, 2);
    a->line += line_bytes;
    a->row += a->line < a->rows->used_bytes ? 0 : a->rows->row_bytes;
    a->line = a->line < a->rows->used_bytes ? a->line : 0;
    a->row = a->row < cc_panel_width * a->rows->row_bytes ? a->row : 0;
}

// `rows`, `panels` and, for packed operands, the strides are constants at each call.
#define DEFINE_LANE_TILE(name, word, step)                                                                             \
    INLINE void name(const word *left, ptrdiff_t row_stride, ptrdiff_t depth_stride, int rows, asking *ahead,          \
                     const word *right, ptrdiff_t right_stride, int panels, ptrdiff_t words, float *sums,              \
                     ptrdiff_t sums_stride) {                                                                          \
        vf sum[lane_rows_of_1][lane_panels * lane_vectors] = {};                                                       \
        for (ptrdiff_t k = 0; k < words; k++, left += depth_stride, right += cc_panel_width) {                         \
            if (ahead)                                                                                                 \
                ask(ahead);                                                                                            \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)                                          \
                _Pragma("clang loop unroll(full)") for (int v = 0; v < panels * lane_vectors; v++) sum[r][v] =         \
                    step(sum[r][v], left + r * row_stride,                                                             \
                         right + v / lane_vectors * right_stride + v % lane_vectors * LANES);                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)                                              \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < panels * lane_vectors; v++)                         \
                store(sums + v / lane_vectors * sums_stride + r * cc_panel_width + v % lane_vectors * LANES,           \
                      sum[r][v]);                                                                                      \
    }

// Sixteen rows of the left operand, in tiles, times all panels of the right one. The first tile alone asks: a step of
// the depth for each line of sixteen rows is enough.
#define LANE_TILE_AT(tile, word, count, ahead)                                                                         \
    tile(left + row * row_stride, row_stride, depth_stride, lane_rows_of_##count, ahead,                               \
         (const word *)right + panel * right_stride, right_stride, count, words,                                       \
         sums + panel * sums_stride + row * cc_panel_width, sums_stride)
#define LANE_TILES(tile, word, count)                                                                                  \
    {                                                                                                                  \
        ptrdiff_t row = 0;                                                                                             \
        LANE_TILE_AT(tile, word, count, ahead);                                                                        \
        for (row += lane_rows_of_##count; row < cc_panel_width; row += lane_rows_of_##count)                           \
            LANE_TILE_AT(tile, word, count, NULL);                                                                     \
    }

#define DEFINE_LANE_ROWS(name, word, tile)                                                                             \
    INLINE void name(const word *left, ptrdiff_t row_stride, ptrdiff_t depth_stride, asking *ahead,                    \
                     const void *right, ptrdiff_t right_panels, ptrdiff_t right_stride, ptrdiff_t words, float *sums,  \
                     ptrdiff_t sums_stride) {                                                                          \
        for (ptrdiff_t panel = 0; panel < right_panels; panel += lane_panels) {                                        \
            ptrdiff_t count = cc_min(lane_panels, right_panels - panel);                                               \
            if (count == 3)                                                                                            \
                LANE_TILES(tile, word, 3)                                                                              \
            else if (count == 2)                                                                                       \
                LANE_TILES(tile, word, 2)                                                                              \
            else                                                                                                       \
                LANE_TILES(tile, word, 1)                                                                              \
        }                                                                                                              \
    }

// The two forms of the left operand: panels, and sixteen rows where they lie.
#define DEFINE_LANE_PRODUCTS(suffix, word)                                                                             \
    DEFINE_LANE_TILE(lane_tile_##suffix, word, lane_step_##suffix)                                                     \
    DEFINE_LANE_ROWS(lane_rows_##suffix, word, lane_tile_##suffix)                                                     \
    static void multiply_panels_##suffix(const void *left, ptrdiff_t left_panels, const void *right,                   \
                                         ptrdiff_t right_panels, ptrdiff_t right_stride, ptrdiff_t words, float *sums, \
                                         ptrdiff_t sums_stride) {                                                      \
        for (ptrdiff_t i = 0; i < left_panels; i++)                                                                    \
            lane_rows_##suffix((const word *)left + i * words * cc_panel_width, 1, cc_panel_width, NULL, right,        \
                               right_panels, right_stride, words, sums + i * cc_panel_width * cc_panel_width,          \
                               sums_stride);                                                                           \
    }                                                                                                                  \
    static void multiply_rows_##suffix(const void *left, ptrdiff_t row_bytes, const cc_ahead *ahead,                   \
                                       const void *right, ptrdiff_t right_panels, ptrdiff_t right_stride,              \
                                       ptrdiff_t words, float *sums, ptrdiff_t sums_stride) {                          \
        asking next = {.rows = ahead};                                                                                 \
        lane_rows_##suffix(left, row_bytes / (ptrdiff_t)sizeof(word), 1, &next, right, right_panels, right_stride,     \
                           words, sums, sums_stride);                                                                  \
    }

DEFINE_LANE_PRODUCTS(f32, float)
#ifdef CC_HAS_BF16_DOT
DEFINE_LANE_PRODUCTS(bf16, int32_t)
#endif

// MARK: End of a block of keys

// Adds a block's sums to what the queries of a panel have gathered, each scaled to the larger of the two maxima.
//
// Every path of attention comes through here, block after block, so they agree in every bit.
static void merge_panel(float *output, const float *block, ptrdiff_t columns, float *maximum, float *total,
                        const float *block_maximum, const float *block_total) {
    for (int lane = 0; lane < cc_panel_width; lane += LANES) {
        vf before = load(maximum + lane), other = load(block_maximum + lane), after = larger(before, other);
        vf keep = power_of_two(before - after), take = power_of_two(other - after);
        store(total + lane, load(total + lane) * keep + load(block_total + lane) * take);
        store(maximum + lane, after);
        for (ptrdiff_t i = 0; i < columns; i++) {
            float *to = output + i * cc_panel_width + lane;
            store(to, load(to) * keep + load(block + i * cc_panel_width + lane) * take);
        }
    }
}

INLINE void finish_lanes(void *const *rows, int type, const float *output, const float *total, ptrdiff_t first,
                         ptrdiff_t columns) {
    for (int lane = 0; lane < cc_panel_width; lane += LANES) {
        vf factor = splat(1.0f) / load(total + lane);
        for (ptrdiff_t column = 0; column < columns; column += LANES) {
            vf v[LANES];
            for (int i = 0; i < LANES; i++)
                v[i] = load(output + (column + i) * cc_panel_width + lane) * factor;
            transpose(v);
            ptrdiff_t count = cc_min(LANES, columns - column);
            for (int i = 0; i < LANES; i++)
                if (rows[lane + i] && count == LANES)
                    store_as(rows[lane + i], type, first + column, v[i]);
                else if (rows[lane + i])
                    store_some(rows[lane + i], type, first + column, count, v[i]);
        }
    }
}

// Divides by the totals and stores some columns of a panel's queries; a null row is none. `output` has room for
// whole vectors of columns.
static void finish_panel(void *const *rows, int type, const float *output, const float *total, ptrdiff_t first,
                         ptrdiff_t columns) {
    if (type == CC_F32)
        finish_lanes(rows, CC_F32, output, total, first, columns);
    else
        finish_lanes(rows, CC_BF16, output, total, first, columns);
}
