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

// Stores eight elements, where they cannot be loaded at once; `element(i)` is the i-th as float32. Rolled up: it is rare.
template <class T, class Element> DEV void store_one_by_one(T *to, const Element &element) {
#pragma unroll 1
    for (int i = 0; i < 8; ++i) to[i] = dev::from_float<T>(element(i));
}

// Stores eight weights from input k on, which share a scale, as T.
template <class T, class W> DEV void store_decoded(T *to, const matrix &m, int n, int k) {
    using F = format<W>;
    const unsigned *from = (const unsigned *)(m.row(n) + (long long)k * 16 / F::count);
    words4 v = {{from[0], 0, 0, 0}};
    if constexpr (F::count <= 16) v.w[1] = from[1];
    float w[8];
    F::template decode<0>(v, w);
    float scale = m.scale(n, k);
    words4 packed;
#pragma unroll
    for (int i = 0; i < 4; ++i) packed.w[i] = dev::pack2<T>(w[2 * i] * scale, w[2 * i + 1] * scale);
    dev::store16(to, packed);
}

template <class T, class W, class Tile> struct product {
    const T *x;
    int x_rows, inputs;
    matrix weights;
    int outputs, first_row, first_column;
    bool whole_x, whole_weights; // whether eight elements may be loaded at once

    DEV_METHOD product(const T *x, int x_rows, int inputs, const matrix &weights, int outputs)
        : x(x), x_rows(x_rows), inputs(inputs), weights(weights), outputs(outputs),
          first_row(blockIdx.y * Tile::rows), first_column(blockIdx.x * Tile::columns) {
        whole_x = inputs % 8 == 0 && (size_t)x % 16 == 0;
        constexpr int unit = same_type<T, W>::value ? 16 : 8;
        whole_weights = inputs % 8 == 0 && weights.row_bytes % unit == 0 && (size_t)weights.codes % unit == 0;
        if (format<W>::scaled && weights.group % 8 != 0 && weights.group < inputs) whole_weights = false;
    }

    // Begins to fill a stage with inputs k ... k + depth - 1.
    DEV_METHOD void load(T *stage, int k) const {
        constexpr int chunks = Tile::depth / 8;
#pragma unroll 1
        for (int i = threadIdx.x; i < (Tile::rows + Tile::columns) * chunks; i += Tile::threads) {
            int row = i / chunks, at = k + i % chunks * 8;
            T *to = stage + row * Tile::pitch + i % chunks * 8;
            if (row < Tile::rows) load_x(to, first_row + row, at);
            else load_weights(to, first_column + row - Tile::rows, at);
        }
        dev::copy_async_commit();
    }

    DEV_METHOD void load_x(T *to, int row, int k) const {
        bool valid = row < x_rows;
        const T *from = x + (long long)(valid ? row : 0) * inputs;
        load_elements(to, from, k, valid, whole_x);
    }

    DEV_METHOD void load_weights(T *to, int n, int k) const {
        bool valid = n < outputs;
        if constexpr (same_type<T, W>::value) {
            load_elements(to, (const T *)weights.row(valid ? n : 0), k, valid, whole_weights);
        } else if (whole_weights && valid && k < inputs) {
            store_decoded<T, W>(to, weights, n, k);
        } else {
            store_one_by_one(to, [n, k, valid, this](int i) {
                if (!valid || k + i >= inputs) return 0.0f;
                float w = format<W>::element(weights.row(n), k + i);
                return format<W>::scaled ? w * weights.scale(n, k + i) : w;
            });
        }
    }

    DEV_METHOD void load_elements(T *to, const T *from, int k, bool valid, bool whole) const {
        if (whole) {
            valid = valid && k < inputs;
            dev::copy_async16(to, from + (valid ? k : 0), valid);
        } else {
            store_one_by_one(
                to, [from, k, valid, this](int i) { return valid && k + i < inputs ? dev::to_float(from[k + i]) : 0.0f; });
        }
    }
};

// Where a product goes, and what is done with it on the way.
template <class T> struct result {
    int rows, columns;
    const void *bias;
    int bias_type, epilogue;
    void *y;
    int y_type; // of T, or float32

    // Whether sums become something else before what is there is added; and what.
    DEV_METHOD bool changes() const { return bias || epilogue == EPILOGUE_GELU; }
    DEV_METHOD float finish(float sum, int, int column) const {
        if (column >= columns) return 0;
        if (bias) sum += parameter(bias, bias_type, column);
        return epilogue == EPILOGUE_GELU ? gelu(sum) : sum;
    }

    // Stores four finished sums of a row.
    DEV_METHOD void store(int row, int column, const float *sums) const {
        if (row >= rows) return;
        long long index = (long long)row * columns + column;
        int count = columns - column < 4 ? columns - column : 4;
        if (y_type == TYPE_F32) store((float *)y + index, count, sums);
        else store((T *)y + index, count, sums);
    }

private:
    template <class Y> DEV_METHOD void store(Y *to, int count, const float *sums) const {
        float before[4] = {0, 0, 0, 0};
        // All four are asked for before the first is stored: the compiler may not do that by itself.
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (epilogue == EPILOGUE_ADD && i < count) before[i] = dev::to_float(to[i]);
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (i < count) to[i] = dev::from_float<Y>(sums[i] + before[i]);
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

    // Stores the sums, 16 rows at a time by way of `memory`, which is the block's: so each lane has neighbors in a row,
    // and the code of the epilogue stands here a few times rather than once for each sum.
    template <class Result>
    DEV_METHOD void store(const Result &to, int first_row, int first_column, float *memory) const {
        constexpr int columns = Tile::warp_columns, pitch = columns + 4;
        static_assert(Tile::threads / 32 * 16 * pitch * sizeof(float) <= 2 * Tile::stage * sizeof(T), "the stages hold it");
        int lane = threadIdx.x & 31, g = lane / 4, t = lane % 4;
        float *mine = memory + threadIdx.x / 32 * 16 * pitch;
#pragma unroll
        for (int i = 0; i < down; ++i) {
#pragma unroll
            for (int j = 0; j < across; ++j) {
#pragma unroll
                for (int e = 0; e < 4; ++e) mine[(g + e / 2 * 8) * pitch + j * 8 + 2 * t + e % 2] = sums[i][j][e];
            }
            dev::warp_barrier();
            if (to.changes()) {
#pragma unroll 1
                for (int at = lane; at < 16 * columns; at += 32) {
                    int r = at / columns, c = at % columns;
                    float &sum = mine[r * pitch + c];
                    sum = to.finish(sum, first_row + row() + i * 16 + r, first_column + column() + c);
                }
                dev::warp_barrier();
            }
#pragma unroll 1
            for (int at = lane * 4; at < 16 * columns; at += 128) {
                int r = at / columns, c = at % columns;
                to.store(first_row + row() + i * 16 + r, first_column + column() + c, mine + r * pitch + c);
            }
            dev::warp_barrier();
        }
    }
};

// Adds the products of all inputs to a warp's sums: while one stage is multiplied the other is filled.
template <class Tile, class T, class Sums, class Operands>
DEV void add_products(Sums &part, const Operands &its, int inputs, T *stages) {
    // One step early, to fill the first stage.
    for (int k = -Tile::depth, turn = 1; k < inputs; k += Tile::depth, turn ^= 1) {
        if (k + Tile::depth < inputs) its.load(stages + (turn ^ 1) * Tile::stage, k + Tile::depth);
        else dev::copy_async_commit(); // an empty group, so that the wait below counts the same
        if (k < 0) continue;
        dev::copy_async_wait<1>();
        dev::barrier();
        part.add(stages + turn * Tile::stage);
        dev::barrier();
    }
}

template <class T, class W, class Tile>
DEV void multiply(
    const T *x, int x_rows, int inputs, const matrix &weights, int outputs, const void *bias, int bias_type,
    int epilogue, void *y, int y_type, T *stages
) {
    product<T, W, Tile> its(x, x_rows, inputs, weights, outputs);
    warp_sums<T, Tile> part;
    part.clear();
    dev::wait_for_previous_grid();
    add_products<Tile>(part, its, inputs, stages);
    const result<T> to = {x_rows, outputs, bias, bias_type, epilogue, y, y_type};
    part.store(to, its.first_row, its.first_column, (float *)stages);
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
