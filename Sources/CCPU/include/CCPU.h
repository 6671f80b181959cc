/// The hot loops of the CPU backend: one engine = one thread pool, one set of kernels, one scratch memory.
///
/// Conventions of every function:
/// - Matrices are row-major and dense unless a stride is named; counts are elements, never bytes.
/// - Element types are `CC_F32`, `CC_F16`, `CC_BF16`. Arithmetic is float32; a narrower result is rounded
///   once, to nearest even. Products of bfloat16 activations with bfloat16 weights use the processor's
///   own products of bfloat16 where there are any (on arm64 for packed weights alone).
/// - Arguments are trusted: the Swift side validates shapes and types first.
/// - Results do not depend on the number of threads: work is split over rows, columns and heads, never over
///   a sum.
/// - An engine is used by one thread at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Element types. `CC_I8` is for a cache alone: a row of one head is its elements in one signed byte each, and behind
/// them the float32 scale that they are to be multiplied by.
enum { CC_F32 = 0, CC_F16 = 1, CC_BF16 = 2, CC_I8 = 3 };

/// Formats of quantized weights: a row's codes lie side by side, CC_INT4 two to a byte, low half first, each plus 8,
/// and its row is filled up to a multiple of 4 bytes.
enum { CC_INT8 = 0, CC_FLOAT8 = 1, CC_INT4 = 2 };

/// Instruction sets, each including the ones before it on its architecture, but for AVX-VNNI, which is AVX2 and the dot of
/// bytes.
enum {
    CC_ISA_PORTABLE = 0,
    CC_ISA_AVX2 = 1,
    CC_ISA_AVX_VNNI = 2,
    CC_ISA_AVX512 = 3,
    CC_ISA_AVX512_BF16 = 4,
    CC_ISA_NEON_DOT = 5,
    CC_ISA_NEON_BF16 = 6,
};

/// What a product does with its float32 sums before it stores them.
enum { CC_STORE = 0, CC_GELU = 1, CC_ADD = 2 };

/// Epilogue of `cc_linear_packed` alone: `y = silu(first half of the columns) · second half`.
enum { CC_GATED_SILU = 3 };

/// What a packed matrix stores of each weight; the layouts stand in packed.h.
enum {
    CC_PACKED_F32 = 0,
    CC_PACKED_F16 = 1,
    CC_PACKED_BF16 = 2,
    CC_PACKED_FP8 = 3,  // e4m3fn, one scale a row
    CC_PACKED_INT8 = 4, // one scale a row, or a group of 64 or 128 of a row
    CC_PACKED_INT4 = 5, // codes -8..7, one scale a group of 64 or 128 of a row
};

typedef struct cc_engine cc_engine;

// MARK: The machine

/// Whether this processor, and its operating system, can run an instruction set.
int cc_isa_supported(int isa);

/// Processors that this process may run on.
int cc_available_processors(void);

// MARK: Engine

/// Starts `threads - 1` workers and reserves scratch; null when memory or threads cannot be had.
cc_engine *cc_engine_create(int threads, int isa);

/// Joins the workers and frees everything.
void cc_engine_destroy(cc_engine *engine);

/// Widest row, in elements, that the row operations and products take.
ptrdiff_t cc_row_limit(void);

/// Largest head dimension that attention takes.
ptrdiff_t cc_head_limit(void);

// MARK: Operations

/// `y = epilogue(x · weightᵀ + bias)`; x `[rows, inputs]`, weight `[outputs, inputs]`, y `[rows, outputs]`.
void cc_linear(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, ptrdiff_t inputs, const void *weight,
               int weight_type, ptrdiff_t outputs, const void *bias, int bias_type, int epilogue, void *y, int y_type);

/// A quantized matrix `[outputs, inputs]`: element = code · scale of its row and its group of inputs.
typedef struct cc_quantized {
    const void *codes;
    int format;
    const void *scales;
    int scale_type;
    ptrdiff_t scale_stride; // from row to row: ceil(inputs / group), or 0 where all rows share one scale
    ptrdiff_t group; // inputs that share a scale; even for CC_INT4
} cc_quantized;

/// As `cc_linear`, with a quantized weight.
///
/// Its elements are computed in float32, and rounded to bfloat16 where products of bfloat16 are the processor's own.
void cc_linear_quantized(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, ptrdiff_t inputs,
                         cc_quantized weight, ptrdiff_t outputs, const void *bias, int bias_type, int epilogue, void *y,
                         int y_type);

/// Largest number of rows that takes the single-row path of `cc_linear`.
ptrdiff_t cc_few_rows(void);

// MARK: Packed matrices

/// A weight matrix `[outputs, inputs]` laid out for products.
typedef struct cc_packed {
    int format;
    /// Whether the second half of the outputs is multiplied with SiLU of the first; `outputs` is even then.
    int gated;
    ptrdiff_t outputs;
    ptrdiff_t inputs;
    /// Elements of a row that share a scale: 64 or 128, or 0 for one scale a row (float formats: 0).
    ptrdiff_t group;
    /// Of the scales: CC_F32, or CC_BF16 where they have groups.
    int scale_type;
    /// `cc_packed_bytes` bytes, aligned to 64.
    void *panels;
} cc_packed;

/// Outputs that are packed together: ranges of `cc_pack` start at multiples of it.
ptrdiff_t cc_packed_step(void);

/// Bytes of a packed matrix; `panels` is not looked at.
ptrdiff_t cc_packed_bytes(cc_packed matrix);

/// Asks the system to back memory by huge pages, where it can.
void cc_prefer_huge_pages(void *memory, ptrdiff_t bytes);

/// Packs the outputs from `first` to `first + count`.
///
/// The range starts at a multiple of `cc_packed_step` outputs and ends at one, or at the end of the outputs. In a gated
/// matrix both are counted within a half, and the end of the first half ends a range, or is passed over inside it.
///
/// - rows: the first row of the range. Float formats: `[count, inputs]` of `row_type`. fp8 and int8: bytes
///   `[count, inputs]`. int4: bytes `[count, ceil(inputs / 2)]`, the even element in the low half, code + 8.
/// - scales: `[count, groups]` of the matrix's `scale_type`, one group where `group` is 0; null for float formats.
void cc_pack(cc_engine *engine, cc_packed matrix, ptrdiff_t first, ptrdiff_t count, const void *rows, int row_type,
             const void *scales);

/// `y = epilogue(x · weightᵀ + bias)`; y has `outputs` columns, or half as many for `CC_GATED_SILU`, which a matrix
/// takes if it was packed for it, and then it takes no other.
///
/// bfloat16 rows meet int8 and int4 weights as int8, quantized by group, where products of bytes are faster.
void cc_linear_packed(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, cc_packed matrix, const void *bias,
                      int bias_type, int epilogue, void *y, int y_type);

void cc_rms_norm(cc_engine *engine, const void *x, int type, ptrdiff_t rows, ptrdiff_t width, const void *weight,
                 int weight_type, float epsilon, void *y);

/// `epilogue` as in `cc_linear`.
void cc_layer_norm(cc_engine *engine, const void *x, int type, ptrdiff_t rows, ptrdiff_t width, const void *weight,
                   int weight_type, const void *bias, int bias_type, float epsilon, int epilogue, void *y);

/// `y = silu(gate) · up`; rows of gate and up are `stride` elements apart, rows of y `width`.
void cc_gated_silu(cc_engine *engine, const void *gate, const void *up, ptrdiff_t stride, int type, ptrdiff_t rows,
                   ptrdiff_t width, void *y);

/// `y += x`.
void cc_add(cc_engine *engine, const void *x, int x_type, void *y, int y_type, ptrdiff_t count);

void cc_scale(cc_engine *engine, void *x, int type, ptrdiff_t count, float factor);

/// Copies with conversion.
void cc_copy(cc_engine *engine, const void *x, int x_type, void *y, int y_type, ptrdiff_t count);

/// Copies `table[indices[i]]` to row `i`; a negative index leaves the row alone.
void cc_gather_rows(cc_engine *engine, const void *table, int table_type, const int32_t *indices, ptrdiff_t rows,
                    ptrdiff_t width, void *y, int y_type);

/// Patches of `[images, channels, side, side]` float32 pixels, flattened as (channel, row, column).
void cc_patchify(cc_engine *engine, const float *pixels, ptrdiff_t images, ptrdiff_t channels, ptrdiff_t side,
                 ptrdiff_t patch, void *y, int y_type);

/// 2 × 2 neighborhoods of `[side, side, channels]`, each flattened as (channel, row, column).
void cc_gather_neighborhoods(cc_engine *engine, const void *grid, int type, ptrdiff_t side, ptrdiff_t channels,
                             void *y);

/// Whether any element is NaN or infinite.
int cc_has_non_finite(cc_engine *engine, const void *x, int type, ptrdiff_t count);

/// Attention within sequences of `length` rows; qkv `[rows, 3 · heads · dimension]`, y `[rows, heads · dimension]`.
void cc_attention(cc_engine *engine, const void *qkv, int type, ptrdiff_t rows, ptrdiff_t length, ptrdiff_t heads,
                  ptrdiff_t dimension, void *y);

/// Shape and pages of one layer's key/value cache.
typedef struct cc_cache {
    void *keys;
    void *values;
    int type;   // of queries and results
    int stored; // of keys and values: `type` or CC_I8
    ptrdiff_t page_size;
    ptrdiff_t heads;
    ptrdiff_t groups;
    ptrdiff_t dimension;
} cc_cache;

/// Bytes of one head's key (or value) in a cache.
ptrdiff_t cc_cache_row_bytes(int stored, ptrdiff_t dimension);

/// Rotates interleaved pairs of queries and keys; keys and values go to their slots, queries to `q`.
///
/// cosines and sines are `[positions, pairs]`.
void cc_rotate_and_append(cc_engine *engine, const void *qkv, ptrdiff_t rows, const float *cosines, const float *sines,
                          ptrdiff_t pairs, const int32_t *positions, const int32_t *slots, cc_cache cache, void *q);

/// Causal attention of packed sequences over their pages.
void cc_paged_attention(cc_engine *engine, const void *q, cc_cache cache, ptrdiff_t sequences, const int32_t *offsets,
                        const int32_t *contexts, const int32_t *pages, ptrdiff_t pages_per_sequence, void *y);

// MARK: Limits of this machine

/// Runs independent multiply-adds on every thread for about `seconds`; FLOP/s. 0 where bfloat16 has no instruction.
double cc_measure_flops(cc_engine *engine, int type, double seconds);

/// Reads `count` bytes with every thread; bytes/s.
double cc_measure_read(cc_engine *engine, const void *bytes, ptrdiff_t count);

#ifdef __cplusplus
}
#endif
