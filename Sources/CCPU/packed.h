// Layouts of packed weight matrices, and what an instruction set provides for their products.
//
// A packed matrix is cut into panels of 32 columns (outputs), one after the other; missing columns are zeros. In a gated
// matrix panel 2i holds columns of the gate, panel 2i + 1 the same columns of the factor beside it. Within a panel:
//
//   f32    [inputs][32]                        float
//   f16    [inputs / 2][32][2]                 half: two neighbors along the depth are a word
//   bf16   [inputs / 2][32][2]                 bfloat16, likewise
//   fp8    [32] float scales, [inputs / 2][32][2] bytes
//   int8   per group: [32] scales, [group / 4][32][4] bytes, code + 128
//   int4   per group: [32] scales, [group / 4][16][4] bytes: the low half is code + 8 of column i, the high half that of
//          column i + 16
//
// Depths are rounded up to whole words, completed by the code of zero. The last group may be short; with one scale
// a row the row is one group. Scales of groups are bfloat16 or float, whichever the matrix says; that of a row is float.
// What is read together lies together: a product of one row reads a matrix from its first byte to its last.
#pragma once
#include "CCPU.h"

enum {
    cc_packed_width = 32,
    cc_few_packed_rows = 14, // rows that are multiplied panel by panel, each word used as soon as it is read
    // Distance of two quantized rows: codes, then a scale and a correction for each of at most 32 groups; an odd
    // number of cache lines.
    cc_quantized_row_words = 512 + 2 * 32 + 16,
};

// What the kernels need to know of one panel, and which part of the depth they work on.
typedef struct cc_panel {
    int format;
    int scale_type;        // CC_F32 or CC_BF16
    ptrdiff_t group_words; // words of the panel between scales; 0 for one scale a row, or none
    const char *start;
    ptrdiff_t first; // word of the panel
    ptrdiff_t words;
    int expanded; // whether it is what `expand` wrote
    ptrdiff_t ahead; // how far ahead of its use a word is asked for, in bytes; 0 where panels are in a cache, or asking is slower
} cc_panel;

// One way to multiply packed panels: float32 words, bfloat16 pairs, or quadruples of bytes.
typedef struct cc_packed_path {
    int per_word;        // elements along the depth in one word; 0 where there is no such path
    ptrdiff_t row_words; // distance of two rows
    ptrdiff_t tile_rows; // rows that meet a panel while it is in the nearest caches: whole tiles; divides 84
    ptrdiff_t together;  // rows of a product of many that lie together, [word][together]; divides tile_rows

    // Writes at most 512 words of a row. `group` and `offset` matter to quantized rows: elements that share a scale, and
    // what the codes of the weights are shifted by.
    void (*fill_row)(void *row, const void *x, int type, ptrdiff_t count, ptrdiff_t group, int offset);

    // Writes a part of a panel as words that `multiply` takes, in an order of its own.
    void (*expand)(void *words, cc_panel panel);

    // Whether `multiply` takes the panels of a format as they are, for so many rows.
    int (*direct)(int format, ptrdiff_t rows);

    // sums[rows][32] (+)= rows · panel.
    void (*multiply)(const void *rows, ptrdiff_t row_count, const cc_panel *panel, float *sums,
                     ptrdiff_t sum_stride, int accumulate);
} cc_packed_path;

typedef struct cc_packed_kernels {
    cc_packed_path f32;
    cc_packed_path bf16;
    const cc_packed_path *bytes; // null where bytes are no faster than float32

    // words[k][32] = 32 rows of `count` words each.
    void (*transpose_words)(uint32_t *words, const char *const *rows, ptrdiff_t count);
} cc_packed_kernels;

#if defined(__x86_64__)
extern const cc_packed_path cc_bytes_avx2;
extern const cc_packed_path cc_bytes_avx_vnni;
#endif

// Elements along the depth in one word.
static inline int cc_packed_per_word(int format) {
    return format == CC_PACKED_F32 ? 1 : format >= CC_PACKED_INT8 ? 4 : 2;
}

// Bytes of one word of all columns of a panel.
static inline ptrdiff_t cc_packed_word_bytes(int format) {
    return format == CC_PACKED_FP8 || format == CC_PACKED_INT4 ? 64 : 128;
}

static inline ptrdiff_t cc_packed_words(int format, ptrdiff_t inputs) {
    int per_word = cc_packed_per_word(format);
    return (inputs + per_word - 1) / per_word;
}

// Bytes of one scale of all columns of a panel.
static inline ptrdiff_t cc_scale_bytes(int type) { return cc_packed_width * (type == CC_F32 ? 4 : 2); }

// Where a word of a panel starts; scales lie before the first word of their group.
static inline const char *cc_panel_word(cc_panel panel, ptrdiff_t word) {
    const char *codes = panel.start + word * cc_packed_word_bytes(panel.format);
    if (panel.format < CC_PACKED_FP8)
        return codes;
    return codes + cc_scale_bytes(panel.scale_type) * (panel.group_words ? word / panel.group_words + 1 : 1);
}

// The whole depth of a panel of a matrix, which starts at `start`.
static inline cc_panel cc_whole_panel(const cc_packed *matrix, const char *start) {
    return (cc_panel){.format = matrix->format,
                      .scale_type = matrix->scale_type,
                      .group_words = matrix->group / 4,
                      .start = start,
                      .words = cc_packed_words(matrix->format, matrix->inputs)};
}

static inline ptrdiff_t cc_packed_panel_bytes(const cc_packed *matrix) {
    static const char start[1];
    cc_panel panel = cc_whole_panel(matrix, start);
    return cc_panel_word(panel, panel.words - 1) + cc_packed_word_bytes(matrix->format) - start;
}

// Panels of a matrix.
static inline ptrdiff_t cc_packed_panels(int gated, ptrdiff_t outputs) {
    ptrdiff_t part = gated ? outputs / 2 : outputs;
    return (part + cc_packed_width - 1) / cc_packed_width * (gated ? 2 : 1);
}

// Columns of a panel.
typedef struct cc_panel_columns {
    ptrdiff_t first; // of the matrix
    ptrdiff_t place; // of the result
    ptrdiff_t count;
} cc_panel_columns;

static inline cc_panel_columns cc_packed_columns(int gated, ptrdiff_t outputs, ptrdiff_t panel) {
    ptrdiff_t part = gated ? outputs / 2 : outputs;
    ptrdiff_t place = (gated ? panel / 2 : panel) * cc_packed_width;
    ptrdiff_t left = part - place;
    return (cc_panel_columns){.first = place + (gated && panel % 2 ? part : 0),
                              .place = place,
                              .count = left < cc_packed_width ? left : cc_packed_width};
}
