// Products of fp8 codes by fp8 codes: y = epilogue(row's scale · output's scale · (x · weightᵀ) + bias).
//
// Each row of x becomes e4m3fn codes with a scale of its own, the largest magnitude 448, so that a row's result does not
// depend on others. Then tensor cores multiply codes by codes: in tiles here where a warp's instruction does that (8.9,
// 12.x), or by cuBLASLt, with the scales applied to its float32 sums. Both read rows of codes that are filled up to 16
// bytes with zeros. Weights have a scale per row, or one for all. Matches Backend.linear but for what rounding rows to
// codes costs (docs/quantization.md).
//
// quantize_rows_<x>: grid [rows], block [256].
// product_codes_<y>_m128: grid [ceil(outputs / 128), ceil(x_rows / 128)], block [256].
// finish_codes_<y>: grid [ceil(outputs / 1024), rows], block [256]; outputs a multiple of 4.
// No dynamic shared memory.
#include "product.cuh"

#ifdef HAS_FP8

// The largest of the block, for every thread; `partials` has room for 32.
DEV float block_max(float x, float *partials) {
    x = dev::warp_max(x);
    if ((threadIdx.x & 31) == 0) partials[threadIdx.x >> 5] = x;
    dev::barrier();
    float largest = 0;
    for (int i = 0; i < (int)blockDim.x >> 5; ++i) largest = fmaxf(largest, partials[i]);
    return largest;
}

// Eight elements of a row from k on, zeros past its end.
template <class T> DEV void load_row(const T *row, int k, int inputs, bool whole, float (&v)[8]) {
    if (whole) {
        load_activations(row + k, v);
    } else {
#pragma unroll
        for (int i = 0; i < 8; ++i) v[i] = k + i < inputs ? dev::to_float(row[k + i]) : 0.0f;
    }
}

// x [rows, inputs] of T to codes [rows, pitch], pitch a multiple of 16 that inputs fit into, and scales [rows].
template <class T>
DEV void quantize_row(const T *x, int inputs, int pitch, fp8x2 *codes, float *scales, float *partials) {
    const T *row = x + (long long)blockIdx.x * inputs;
    bool whole = inputs % 8 == 0 && (size_t)x % 16 == 0;
    float largest = 0, v[8];
    for (int k = threadIdx.x * 8; k < inputs; k += blockDim.x * 8) {
        load_row(row, k, inputs, whole, v);
#pragma unroll
        for (int i = 0; i < 8; ++i) largest = fmaxf(largest, fabsf(v[i]));
    }
    // Rows of next to nothing keep a scale whose inverse is finite.
    largest = fmaxf(block_max(largest, partials), 0x1p-100f);
    float inverse = 448.0f / largest;
    if (threadIdx.x == 0) scales[blockIdx.x] = largest / 448.0f;
    for (int k = threadIdx.x * 8; k < pitch; k += blockDim.x * 8) {
        load_row(row, k, inputs, whole && k < inputs, v);
        fp8x2 *to = codes + ((long long)blockIdx.x * pitch + k) / 2;
        unsigned packed[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) packed[i] = dev::to_fp8x2(v[2 * i] * inverse, v[2 * i + 1] * inverse).bits;
        ((unsigned *)to)[0] = packed[0] | packed[1] << 16;
        ((unsigned *)to)[1] = packed[2] | packed[3] << 16;
    }
}

#define QUANTIZE_ROWS(T, t)                                                                                           \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        quantize_rows_##t(const T *x, int inputs, int pitch, fp8x2 *codes, float *scales) {                           \
        SHARED(float, partials, 32);                                                                                  \
        dev::wait_for_previous_grid();                                                                                \
        quantize_row(x, inputs, pitch, codes, scales, partials);                                                      \
        dev::launch_next_grid();                                                                                      \
    }
QUANTIZE_ROWS(f16, f16)
QUANTIZE_ROWS(bf16, bf16)

// A result whose sums are still to be scaled.
template <class T> struct scaled_result : result<T> {
    const float *row_scales;
    matrix weights;

    DEV_METHOD scaled_result(const result<T> &its, const float *row_scales, const matrix &weights)
        : result<T>(its), row_scales(row_scales), weights(weights) {}

    DEV_METHOD bool changes() const { return true; }
    DEV_METHOD float finish(float sum, int row, int column) const {
        if (row >= this->rows || column >= this->columns) return 0;
        return result<T>::finish(sum * (row_scales[row] * weights.scale(column, 0)), row, column);
    }
};

// sums [rows, outputs] float32, of codes, to y.
#define FINISH_CODES(T, t)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) finish_codes_##t(                                               \
        const float *sums, const float *x_scales, int rows, const void *scales, int scale_type, int scale_stride,     \
        int outputs, const void *bias, int bias_type, int epilogue, void *y, int y_type) {                            \
        dev::wait_for_previous_grid();                                                                                \
        const scaled_result<T> to = {                                                                                 \
            {rows, outputs, bias, bias_type, epilogue, y, y_type}, x_scales,                                          \
            {nullptr, 0, scales, scale_type, scale_stride, 1}};                                                       \
        finish_four(sums, to);                                                                                        \
        dev::launch_next_grid();                                                                                      \
    }

template <class Result> DEV void finish_four(const float *sums, const Result &to) {
    int row = blockIdx.y, column = (blockIdx.x * 256 + threadIdx.x) * 4;
    if (column >= to.columns) return;
    words4 words = dev::load16(sums + (long long)row * to.columns + column);
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) four[i] = to.finish(dev::from_bits(words.w[i]), row, column + i);
    to.store(row, column, four);
}

FINISH_CODES(f16, f16)
FINISH_CODES(bf16, bf16)

#ifdef HAS_FP8_MMA

// The operands of a tile: rows of `pairs` pairs of codes.
template <class Tile> struct code_operands {
    const fp8x2 *x;
    int x_rows, pairs;
    matrix weights;
    int outputs, first_row, first_column;

    // Begins to fill a stage with pairs k ... k + depth - 1.
    DEV_METHOD void load(fp8x2 *stage, int k) const {
        constexpr int chunks = Tile::depth / 8;
#pragma unroll 1
        for (int i = threadIdx.x; i < (Tile::rows + Tile::columns) * chunks; i += Tile::threads) {
            int row = i / chunks, at = k + i % chunks * 8;
            fp8x2 *to = stage + row * Tile::pitch + i % chunks * 8;
            if (row < Tile::rows) copy(to, x + (long long)(first_row + row) * pairs, at, first_row + row < x_rows);
            else copy_weights(to, first_column + row - Tile::rows, at);
        }
        dev::copy_async_commit();
    }

    DEV_METHOD void copy_weights(fp8x2 *to, int n, int k) const {
        copy(to, (const fp8x2 *)weights.row(n), k, n < outputs);
    }

    DEV_METHOD void copy(fp8x2 *to, const fp8x2 *row, int k, bool valid) const {
        valid = valid && k < pairs;
        dev::copy_async16(to, valid ? row + k : x, valid);
    }
};

// Sums of products of codes. Tensor cores may keep fewer bits of them than float32 has, so those of a stage are made
// apart, and added up in float32.
template <class Tile> struct code_sums : warp_sums<fp8x2, Tile> {
    using its = warp_sums<fp8x2, Tile>;

    DEV_METHOD void add(const fp8x2 *stage) {
        constexpr int steps = Tile::depth / 16;
        int lane = threadIdx.x & 31;
        const fp8x2 *x = stage + (its::row() + lane % 16) * Tile::pitch + lane / 16 * 8;
        const fp8x2 *w =
            stage + (Tile::rows + its::column() + lane / 16 * 8 + lane % 8) * Tile::pitch + lane / 8 % 2 * 8;
        unsigned a[steps][its::down][4];
#pragma unroll
        for (int k = 0; k < steps; ++k) {
#pragma unroll
            for (int i = 0; i < its::down; ++i) dev::load_matrix_x4(a[k][i], x + i * 16 * Tile::pitch + k * 16);
        }
#pragma unroll
        for (int j = 0; j < its::across; j += 2) {
            unsigned b[steps][4];
#pragma unroll
            for (int k = 0; k < steps; ++k) dev::load_matrix_x4(b[k], w + j * 8 * Tile::pitch + k * 16);
#pragma unroll
            for (int i = 0; i < its::down; ++i) {
                float left[4] = {0, 0, 0, 0}, right[4] = {0, 0, 0, 0};
#pragma unroll
                for (int k = 0; k < steps; ++k) {
                    dev::mma<fp8x2>(left, a[k][i], b[k][0], b[k][1]);
                    dev::mma<fp8x2>(right, a[k][i], b[k][2], b[k][3]);
                }
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    this->sums[i][j][e] += left[e];
                    this->sums[i][j + 1][e] += right[e];
                }
            }
        }
    }
};

// x [x_rows, row_bytes] codes and x_scales [x_rows]; weight codes [outputs, row_bytes], row_bytes a multiple of 16 and
// both from multiples of 16 on.
template <class Y, class Tile>
DEV void multiply_codes(
    const fp8x2 *x, const float *x_scales, int x_rows, const matrix &weights, const result<Y> &y, fp8x2 *stages
) {
    int first_row = blockIdx.y * Tile::rows, first_column = blockIdx.x * Tile::columns;
    const code_operands<Tile> its = {x, x_rows, weights.row_bytes / 2, weights, y.columns, first_row, first_column};
    code_sums<Tile> part;
    part.clear();
    dev::wait_for_previous_grid();
    add_products<Tile>(part, its, its.pairs, stages);
    part.store(scaled_result<Y>(y, x_scales, weights), first_row, first_column, (float *)stages);
    dev::launch_next_grid();
}

#define PRODUCT_CODES(T, t)                                                                                           \
    extern "C" __global__ void __launch_bounds__(many_rows::threads) product_codes_##t##_m128(                        \
        const fp8x2 *x, const float *x_scales, int x_rows, WEIGHT_PARAMETERS, int outputs, const void *bias,          \
        int bias_type, int epilogue, void *y, int y_type) {                                                           \
        SHARED(fp8x2, stages, 2 * many_rows::stage);                                                                  \
        const result<T> to = {x_rows, outputs, bias, bias_type, epilogue, y, y_type};                                 \
        multiply_codes<T, many_rows>(x, x_scales, x_rows, WEIGHT_ARGUMENTS, to, stages);                              \
    }
PRODUCT_CODES(f16, f16)
PRODUCT_CODES(bf16, bf16)

#endif
#endif
