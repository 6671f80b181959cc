// Products with few rows: y = epilogue(x · weightᵀ + bias), 4 columns of y per block.
//
// Grid [ceil(outputs / 4), ceil(x_rows / R)], block [128], no dynamic shared memory, for gemv_<x>_<weight>_r<R> with R
// rows of x per block; more blocks of rows read the weights again, from L2 where they fit. Matches Backend.linear. What
// stands behind `codes` of floating-point weights is the matrix; `scales` is null then.
//
// x [x_rows, inputs] of T; bias [outputs] of `bias_type` or null; y [x_rows, outputs] of T, or float32 with `y_type`.
#pragma once
#include "dot.cuh"

template <class T, class W, int rows>
DEV void gemv(
    const T *x, int x_rows, int inputs, const matrix &weights, int outputs, const void *bias, int bias_type,
    int epilogue, void *y, int y_type, float *partials, float *totals
) {
    constexpr int columns = 4;
    dot_products<T, W, rows, columns> products(weights, inputs);
    int first = blockIdx.x * columns, first_row = blockIdx.y * rows;
    int row[columns];
#pragma unroll
    for (int o = 0; o < columns; ++o) row[o] = first + o < outputs ? first + o : outputs - 1;
    products.begin(row);
    dev::wait_for_previous_grid();
    int count = x_rows - first_row < rows ? x_rows - first_row : rows;
    products.run(x + (long long)first_row * inputs, inputs, count);
    products.finish(partials, totals);
    dev::launch_next_grid();
    int m = threadIdx.x / columns, n = first + threadIdx.x % columns;
    if (threadIdx.x >= rows * columns || n >= outputs || m >= count) return;
    float sum = totals[threadIdx.x] + (bias ? parameter(bias, bias_type, n) : 0.0f);
    long long index = (long long)(first_row + m) * outputs + n;
    if (epilogue == EPILOGUE_GELU) sum = gelu(sum);
    if (epilogue == EPILOGUE_ADD) sum += parameter(y, y_type, index);
    store_typed(y, y_type, index, sum);
}

// Most threads and least blocks at once. Left alone, the compiler would rather have one block more and registers in memory.
#define GEMV_BOUNDS_1 128
#define GEMV_BOUNDS_4 128, 3
#define GEMV_BOUNDS_8 128, 2

#define GEMV(T, t, W, w, R)                                                                                           \
    extern "C" __global__ void __launch_bounds__(GEMV_BOUNDS_##R) gemv_##t##_##w##_r##R(                               \
        const T *x, int x_rows, int inputs, WEIGHT_PARAMETERS, int outputs, const void *bias, int bias_type,          \
        int epilogue, void *y, int y_type) {                                                                          \
        SHARED(float, partials, 4 * R * 4);                                                                           \
        SHARED(float, totals, R * 4);                                                                                 \
        gemv<T, W, R>(                                                                                                \
            x, x_rows, inputs, WEIGHT_ARGUMENTS, outputs, bias, bias_type, epilogue, y, y_type, partials, totals);    \
    }
#define GEMV_ROWS(T, t, W, w) GEMV(T, t, W, w, 1) GEMV(T, t, W, w, 4) GEMV(T, t, W, w, 8)
#define GEMV_QUANTIZED(T, t) GEMV_ROWS(T, t, fp8, fp8) GEMV_ROWS(T, t, code8, int8) GEMV_ROWS(T, t, code4, int4)
