// Products with many rows on tensor cores: y = epilogue(x · weightᵀ + bias).
//
// A block makes a tile of y, each warp a part of it, over steps of `depth` inputs in two alternating stages of shared
// memory. Weights of another form than x are decoded, scaled and rounded to x's type on the way to shared memory.
// Matches Backend.linear.
//
// x [x_rows, inputs] of T; bias [outputs] of `bias_type` or null; y [x_rows, outputs] of T, or float32 with `y_type`.
#pragma once
#include "weights.cuh"

template <int rows_, int columns_, int warp_rows_, int warp_columns_, int depth_> struct product_tile {
    static constexpr int rows = rows_, columns = columns_, depth = depth_;
    static constexpr int warp_rows = warp_rows_, warp_columns = warp_columns_;
    static constexpr int threads = rows / warp_rows * (columns / warp_columns) * 32;
    static constexpr int pitch = depth + 8; // rows of a matrix load lie in different banks
    static constexpr int stage = (rows + columns) * pitch;
};

using few_rows = product_tile<16, 64, 16, 16, 64>;
using many_rows = product_tile<128, 128, 64, 32, 32>;

template <class T, class W> struct same_type { static constexpr bool value = false; };
template <class T> struct same_type<T, T> { static constexpr bool value = true; };

// Eight weights from input k on, as T; `whole`: they may be loaded at once.
template <class T, class W> DEV words4 eight_weights(const matrix &m, int n, int k, int inputs, bool whole) {
    using F = format<W>;
    const unsigned char *row = m.row(n);
    float w[8];
    bool one_scale = m.group % 8 == 0 || m.group >= inputs;
    if (whole && one_scale) {
        words4 v = {{0, 0, 0, 0}};
        const unsigned *from = (const unsigned *)(row + (long long)k * 16 / F::count);
        v.w[0] = from[0];
        if constexpr (F::count <= 16) v.w[1] = from[1];
        F::template decode<0>(v, w);
        float scale = m.scale(n, k);
#pragma unroll
        for (int i = 0; i < 8; ++i) w[i] *= scale;
    } else {
        for (int i = 0; i < 8; ++i) {
            w[i] = k + i < inputs ? F::element(row, k + i) : 0.0f;
            if (F::scaled && k + i < inputs) w[i] *= m.scale(n, k + i);
        }
    }
    words4 packed;
#pragma unroll
    for (int i = 0; i < 4; ++i) packed.w[i] = dev::pack2<T>(w[2 * i], w[2 * i + 1]);
    return packed;
}

// Eight elements of a row of T, with zeros past the end.
template <class T> DEV words4 eight_elements(const T *row, int k, int inputs) {
    words4 packed;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        unsigned low = k + 2 * i < inputs ? row[k + 2 * i].bits : 0;
        unsigned high = k + 2 * i + 1 < inputs ? row[k + 2 * i + 1].bits : 0;
        packed.w[i] = low | high << 16;
    }
    return packed;
}

template <class T, class W, class Tile> struct product {
    const T *x;
    int x_rows, inputs;
    matrix weights;
    int outputs, first_row, first_column;
    bool whole_x, whole_weights;

    DEV_METHOD product(const T *x, int x_rows, int inputs, const matrix &weights, int outputs)
        : x(x), x_rows(x_rows), inputs(inputs), weights(weights), outputs(outputs),
          first_row(blockIdx.y * Tile::rows), first_column(blockIdx.x * Tile::columns) {
        whole_x = inputs % 8 == 0 && (size_t)x % 16 == 0;
        constexpr int unit = same_type<T, W>::value ? 16 : 8;
        whole_weights = inputs % 8 == 0 && weights.row_bytes % unit == 0 && (size_t)weights.codes % unit == 0;
    }

    // Begins to fill a stage with inputs k ... k + depth - 1.
    DEV_METHOD void load(T *stage, int k) const {
        constexpr int chunks = Tile::depth / 8;
        for (int i = threadIdx.x; i < (Tile::rows + Tile::columns) * chunks; i += Tile::threads) {
            int row = i / chunks, at = k + i % chunks * 8;
            T *to = stage + row * Tile::pitch + i % chunks * 8;
            if (row < Tile::rows) load_x(to, first_row + row, at);
            else load_weights(to, first_column + row - Tile::rows, at);
        }
        dev::copy_async_commit();
    }

    DEV_METHOD void load_x(T *to, int row, int k) const {
        bool valid = row < x_rows && k < inputs;
        const T *from = x + (long long)(row < x_rows ? row : 0) * inputs;
        if (whole_x) dev::copy_async16(to, from + (valid ? k : 0), valid);
        else dev::store16(to, valid ? eight_elements(from, k, inputs) : words4{{0, 0, 0, 0}});
    }

    DEV_METHOD void load_weights(T *to, int n, int k) const {
        bool valid = n < outputs && k < inputs;
        if constexpr (same_type<T, W>::value) {
            const T *from = (const T *)weights.row(n < outputs ? n : 0);
            if (whole_weights) dev::copy_async16(to, from + (valid ? k : 0), valid);
            else dev::store16(to, valid ? eight_elements(from, k, inputs) : words4{{0, 0, 0, 0}});
        } else {
            dev::store16(to, valid ? eight_weights<T, W>(weights, n, k, inputs, whole_weights) : words4{{0, 0, 0, 0}});
        }
    }
};

// A warp's part of the tile: sums[i][j] are rows 16i ..., columns 8j ...
template <class T, class Tile> struct warp_sums {
    static constexpr int down = Tile::warp_rows / 16, across = Tile::warp_columns / 8;
    float sums[down][across][4];

    static DEV_METHOD int row() { return threadIdx.x / 32 / (Tile::columns / Tile::warp_columns) * Tile::warp_rows; }
    static DEV_METHOD int column() {
        return threadIdx.x / 32 % (Tile::columns / Tile::warp_columns) * Tile::warp_columns;
    }

    DEV_METHOD void clear() {
#pragma unroll
        for (int i = 0; i < down; ++i) {
#pragma unroll
            for (int j = 0; j < across; ++j) sums[i][j][0] = sums[i][j][1] = sums[i][j][2] = sums[i][j][3] = 0;
        }
    }

    DEV_METHOD void add(const T *stage) {
        int lane = threadIdx.x & 31;
        const T *x = stage + (row() + lane % 16) * Tile::pitch + lane / 16 * 8;
        const T *w = stage + (Tile::rows + column() + lane / 16 * 8 + lane % 8) * Tile::pitch + lane / 8 % 2 * 8;
#pragma unroll
        for (int k = 0; k < Tile::depth; k += 16) {
            unsigned a[down][4];
#pragma unroll
            for (int i = 0; i < down; ++i) dev::load_matrix_x4(a[i], x + i * 16 * Tile::pitch + k);
#pragma unroll
            for (int j = 0; j < across; j += 2) {
                unsigned b[4];
                dev::load_matrix_x4(b, w + j * 8 * Tile::pitch + k);
#pragma unroll
                for (int i = 0; i < down; ++i) {
                    dev::mma<T>(sums[i][j], a[i], b[0], b[1]);
                    dev::mma<T>(sums[i][j + 1], a[i], b[2], b[3]);
                }
            }
        }
    }
};

template <class T, class W, class Tile>
DEV void multiply(
    const T *x, int x_rows, int inputs, const matrix &weights, int outputs, const void *bias, int bias_type,
    int epilogue, void *y, int y_type, T *stages
) {
    product<T, W, Tile> its(x, x_rows, inputs, weights, outputs);
    warp_sums<T, Tile> part;
    part.clear();
    dev::wait_for_previous_grid();
    its.load(stages, 0);
    for (int k = 0, turn = 0; k < inputs; k += Tile::depth, turn ^= 1) {
        if (k + Tile::depth < inputs) its.load(stages + (turn ^ 1) * Tile::stage, k + Tile::depth);
        else dev::copy_async_commit(); // an empty group, so that the wait below counts the same
        dev::copy_async_wait<1>();
        dev::barrier();
        part.add(stages + turn * Tile::stage);
        dev::barrier();
    }
    int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < part.down; ++i) {
#pragma unroll
        for (int j = 0; j < part.across; ++j) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                int row = its.first_row + part.row() + i * 16 + g + e / 2 * 8;
                int n = its.first_column + part.column() + j * 8 + 2 * t + e % 2;
                if (row >= x_rows || n >= outputs) continue;
                float sum = part.sums[i][j][e] + (bias ? parameter(bias, bias_type, n) : 0.0f);
                long long index = (long long)row * outputs + n;
                if (epilogue == EPILOGUE_GELU) sum = gelu(sum);
                if (epilogue == EPILOGUE_ADD) sum += parameter(y, y_type, index);
                store_typed(y, y_type, index, sum);
            }
        }
    }
    dev::launch_next_grid();
}

#define PRODUCT(T, t, W, w, Tile, tail)                                                                               \
    extern "C" __global__ void __launch_bounds__(Tile::threads) product_##t##_##w##_##tail(                           \
        const T *x, int x_rows, int inputs, WEIGHT_PARAMETERS, int outputs, const void *bias, int bias_type,          \
        int epilogue, void *y, int y_type) {                                                                          \
        SHARED(T, stages, 2 * Tile::stage);                                                                           \
        multiply<T, W, Tile>(                                                                                         \
            x, x_rows, inputs, WEIGHT_ARGUMENTS, outputs, bias, bias_type, epilogue, y, y_type, stages);              \
    }
#define PRODUCT_TILES(T, t, W, w) PRODUCT(T, t, W, w, few_rows, m16) PRODUCT(T, t, W, w, many_rows, m128)
