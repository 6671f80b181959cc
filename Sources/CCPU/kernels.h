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

    // One step of the online softmax over a block of scores, in place; see attention.h.
    void (*softmax)(float *scores, ptrdiff_t valid, ptrdiff_t padded, float scale, float *maximum, float *total,
                    float *output, ptrdiff_t width);

    // Products of few rows: out[r · out_stride + n] = x[r] · weight[n], rows of x `x_stride` elements apart.
    void (*dot_rows)(const void *x, ptrdiff_t x_stride, ptrdiff_t rows, const void *weight, int weight_type,
                     ptrdiff_t depth, ptrdiff_t columns, float *out, ptrdiff_t out_stride);
} cc_path;

typedef struct cc_kernels {
    cc_path f32;
    cc_path bf16; // per_word is 0 where the processor cannot multiply bfloat16

    void (*widen)(float *y, const void *x, int type, ptrdiff_t count);
    void (*narrow)(void *y, int type, const float *x, ptrdiff_t count);
    void (*add)(float *y, const float *x, ptrdiff_t count);
    void (*scale)(float *x, float factor, ptrdiff_t count);
    void (*gelu)(float *x, ptrdiff_t count);
    void (*gated_silu)(float *gate, const float *up, ptrdiff_t count);
    void (*rms_norm)(float *x, const float *weight, ptrdiff_t count, float epsilon);
    void (*layer_norm)(float *x, const float *weight, const float *bias, ptrdiff_t count, float epsilon);
    // y = epilogue(sums + bias); bias may be null.
    void (*finish)(const float *sums, const float *bias, int epilogue, void *y, int type, ptrdiff_t count);
    int (*has_non_finite)(const void *x, int type, ptrdiff_t count);
    cc_packed_kernels packed;

    // Multiply-adds in registers, for measuring the peak; return the FLOP done.
    double (*spin_f32)(long turns);
    double (*spin_bf16)(long turns);
} cc_kernels;

extern const cc_kernels cc_kernels_portable;
#if defined(__x86_64__)
extern const cc_kernels cc_kernels_avx2;
extern const cc_kernels cc_kernels_avx512;
extern const cc_kernels cc_kernels_avx512_bf16;
#endif

static inline ptrdiff_t cc_element_bytes(int type) { return type == CC_F32 ? 4 : 2; }
static inline ptrdiff_t cc_ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t cc_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t cc_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
