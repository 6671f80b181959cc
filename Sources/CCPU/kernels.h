// What one instruction set provides, and the layouts that drivers and kernels share.
//
// A product multiplies *rows* by *panels*:
//
//   row     one row of the left operand, CC_ROW words of 4 bytes apart, whatever its length
//   panel   16 columns of the right operand: [depth][16] words
//
// A word holds one float32, or two bfloat16 that are neighbors along the depth. Rows are spaced by an odd
// number of cache lines, because rows of a power-of-two length would compete for the same few cache sets.
#pragma once
#include "CCPU.h"
#include "packed.h"

enum {
    cc_panel_width = 16,
    cc_block_words = 512,                  // words of one row that one block of the depth covers
    cc_row_words = cc_block_words + 16,    // distance of two rows, in words
};

// Rows of two matrices, sixteen of each, that will be needed later.
typedef struct cc_ahead {
    const char *first, *second;
    ptrdiff_t row_bytes;  // from one row to the next
    ptrdiff_t used_bytes; // of a row
} cc_ahead;

// What quantized keys and values are to be multiplied by, one each.
typedef struct cc_scales {
    float *keys, *values;
} cc_scales;

// One way to multiply: float32 words, or bfloat16 pairs.
typedef struct cc_path {
    int per_word; // elements along the depth in one word: 1 or 2

    // Writes `count` elements as a row; an odd bfloat16 count is completed by zero.
    void (*fill_row)(void *row, const void *x, int type, ptrdiff_t count);

    // Packs 16 rows of a matrix, each `count` long, as the 16 columns of a panel; a null row becomes zeros.
    void (*pack_transposed)(void *panel, const void *const *rows, int type, ptrdiff_t count);

    // Packs `count` rows, each `width` long, as the depth of ceil(width / 16) panels.
    void (*pack_straight)(void *panels, const void *const *rows, ptrdiff_t count, int type, ptrdiff_t width);

    // sums[rows][16 · panels] (+)= rows · panels, over `words` of depth. Panels are `words · 16` words apart.
    void (*multiply)(const void *rows, ptrdiff_t row_count, const void *panels, ptrdiff_t panel_count, ptrdiff_t words,
                     float *sums, ptrdiff_t sum_stride, int accumulate);

    // sums[right panel][row][16] = left · right, the rows being those of the left panels. Left panels are `words · 16`
    // words apart, right panels and those of the sums as far as their strides say. See lanes.h.
    void (*multiply_panels)(const void *left, ptrdiff_t left_panels, const void *right, ptrdiff_t right_panels,
                            ptrdiff_t right_stride, ptrdiff_t words, float *sums, ptrdiff_t sums_stride);

    // The same, bit for bit, for sixteen rows that lie `row_bytes` apart, unpacked. Meanwhile it asks memory for what
    // will be needed later.
    void (*multiply_rows)(const void *left, ptrdiff_t row_bytes, const cc_ahead *ahead, const void *right,
                          ptrdiff_t right_panels, ptrdiff_t right_stride, ptrdiff_t words, float *sums,
                          ptrdiff_t sums_stride);

    // Scores of a panel of queries to probabilities; see softmax.h.
    void (*softmax)(float *scores, ptrdiff_t keys, const cc_scales *scales, const int32_t *limit, float factor,
                    float *maximum, float *total);

    // Bytes of a quantized row as the words of a row; an odd bfloat16 count is completed by zero.
    void (*fill_bytes)(void *row, const int8_t *x, ptrdiff_t count);

    // Products of few rows: out[r · out_stride + n] = x[r] · weight[n], rows of x `x_stride` elements apart.
    void (*dot_rows)(const void *x, ptrdiff_t x_stride, ptrdiff_t rows, const void *weight, int weight_type,
                     ptrdiff_t depth, ptrdiff_t columns, float *out, ptrdiff_t out_stride);
} cc_path;

typedef struct cc_kernels {
    cc_path f32;
    cc_path bf16; // per_word is 0 where the processor cannot multiply bfloat16

    void (*widen)(float *y, const void *x, int type, ptrdiff_t count);
    void (*narrow)(void *y, int type, const float *x, ptrdiff_t count);
    // y[i] = code[first + i] · scale in float32 or bfloat16; `codes` starts a row, `first` is even for CC_INT4.
    void (*dequantize)(void *y, int y_type, const void *codes, int format, ptrdiff_t first, ptrdiff_t count,
                       float scale);
    void (*add)(float *y, const float *x, ptrdiff_t count);
    void (*scale)(float *x, float factor, ptrdiff_t count);
    void (*gelu)(float *x, ptrdiff_t count);
    void (*gated_silu)(float *gate, const float *up, ptrdiff_t count);
    void (*rms_norm)(float *x, const float *weight, ptrdiff_t count, float epsilon);
    void (*layer_norm)(float *x, const float *weight, const float *bias, ptrdiff_t count, float epsilon);
    // Rounds a row to bytes, and returns their scale; NaN when an element is not finite.
    float (*quantize)(int8_t *y, const float *x, ptrdiff_t count);
    // y = epilogue(sums + bias); bias may be null.
    void (*finish)(const float *sums, const float *bias, int epilogue, void *y, int type, ptrdiff_t count);
    // A panel of queries at the end of a block of keys, and at the end of all; see lanes.h.
    void (*merge_panel)(float *output, const float *block, ptrdiff_t columns, float *maximum, float *total,
                        const float *block_maximum, const float *block_total);
    void (*finish_panel)(void *const *rows, int type, const float *output, const float *total, ptrdiff_t first,
                         ptrdiff_t columns);
    int (*has_non_finite)(const void *x, int type, ptrdiff_t count);
    cc_packed_kernels packed;

    // Multiply-adds in registers, for measuring the peak; return the FLOP done.
    double (*spin_f32)(long turns);
    double (*spin_bf16)(long turns);
} cc_kernels;

extern const cc_kernels cc_kernels_portable;
#if defined(__x86_64__)
extern const cc_kernels cc_kernels_avx2;
extern const cc_kernels cc_kernels_avx_vnni;
extern const cc_kernels cc_kernels_avx512;
extern const cc_kernels cc_kernels_avx512_bf16;
#elif defined(__aarch64__)
extern const cc_kernels cc_kernels_neon_dot;
extern const cc_kernels cc_kernels_neon_bf16;
#endif

static inline ptrdiff_t cc_element_bytes(int type) { return type == CC_F32 ? 4 : 2; }
static inline ptrdiff_t cc_ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t cc_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t cc_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
