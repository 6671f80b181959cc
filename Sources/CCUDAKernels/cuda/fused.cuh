// Decoding's coarse steps in one kernel each: a norm, a product with few rows, and what follows the product.
//
// Grid: any number of blocks, at best as many as fit on the card at once; they share the columns in sets of four. Block
// [128]. Dynamic shared memory: R · width elements of T for <name>_r<R>, which takes up to R rows of x. Every block
// normalizes x for itself: it is short, and the weights are on their way meanwhile. What the composition of separate
// kernels rounds to T, these round too, so that both agree within the order of sums.
//
// attention_input: RMSNorm, fused projection with bias, rotary embedding, append to a cache of T (a cache of bytes needs
// the largest element of a head: compose gemv and rotate_and_append_int8). Matches Backend.attentionInput.
// feed_forward_input: RMSNorm, gate and up projection, gated SiLU. Matches Backend.feedForwardInput.
//
// x [x_rows, width] of T; norm [width] of `norm_type`; weights as in gemv.cuh; the rest as in rotary.cu and elementwise.cu.
#pragma once
#include "dot.cuh"

#define NORM_PARAMETERS const T *x, int x_rows, int width, const void *norm, int norm_type, float epsilon

// RMSNorm of x into `staged`, by every thread of the block.
template <class T, int rows>
DEV void stage_normalized(
    const T *x, int x_rows, int width, const void *norm, int norm_type, float epsilon, T *staged, float *partials
) {
    for (int m = 0; m < x_rows; ++m) {
        float sum = 0;
        for (int i = threadIdx.x; i < width; i += blockDim.x) {
            float value = dev::to_float(x[m * width + i]);
            sum += value * value;
        }
        float factor = 1.0f / dev::sqrt(block_sum(sum, partials + m * 4) / width + epsilon);
        for (int i = threadIdx.x; i < width; i += blockDim.x) {
            float value = dev::to_float(x[m * width + i]) * factor;
            staged[m * width + i] = dev::from_float<T>(value * parameter(norm, norm_type, i));
        }
    }
    dev::barrier();
}

// Shared memory of a fused kernel besides the staged rows.
struct fused_memory {
    float *partials; // [4 · rows · 4]
    float *totals;   // [rows · 4]
};

// Products of the normalized rows with sets of four weight rows; `chosen(set, row)` names them, `use(set)` takes the
// totals, [rows, 4].
template <class T, class W, int rows, class Chosen, class Use>
DEV void each_set(
    const T *x, int x_rows, int width, const void *norm, int norm_type, float epsilon, const matrix &weights,
    int set_count, const fused_memory &memory, const Chosen &chosen, const Use &use
) {
    dot_products<T, W, rows, 4> products(weights, width);
    T *staged = (T *)dev::dynamic_shared();
    int row[4];
    bool first = true;
    for (int set = blockIdx.x; set < set_count; set += gridDim.x) {
        chosen(set, row);
        products.begin(row);
        if (first) {
            dev::wait_for_previous_grid();
            stage_normalized<T, rows>(x, x_rows, width, norm, norm_type, epsilon, staged, memory.partials);
        }
        first = false;
        products.run(staged, width, x_rows);
        products.finish(memory.partials, memory.totals);
        use(set);
    }
    dev::launch_next_grid();
}

template <class T, class W, int rows>
DEV void attention_input(
    NORM_PARAMETERS, const matrix &weights, const void *bias, int bias_type, int heads, int groups, int dimension,
    const float *cosines, const float *sines, int pairs, const int *positions, const int *slots, T *keys, T *values,
    T *q, const fused_memory &memory
) {
    int outputs = (heads + 2 * groups) * dimension;
    auto chosen = [=](int set, int (&row)[4]) {
#pragma unroll
        for (int o = 0; o < 4; ++o) row[o] = set * 4 + o < outputs ? set * 4 + o : outputs - 1;
    };
    auto use = [=](int set) {
        int m = threadIdx.x / 2, at = threadIdx.x % 2 * 2, n = set * 4 + at;
        if (m >= x_rows || n >= outputs) return;
        float a = memory.totals[m * 4 + at], b = memory.totals[m * 4 + at + 1];
        a = rounded<T>(a + (bias ? parameter(bias, bias_type, n) : 0.0f));
        b = rounded<T>(b + (bias ? parameter(bias, bias_type, n + 1) : 0.0f));
        int head = n / dimension, d = n % dimension;
        if (head < heads + groups && d / 2 < pairs) {
            long long i = (long long)positions[m] * pairs + d / 2;
            float c = cosines[i], s = sines[i], left = a;
            a = left * c - b * s;
            b = b * c + left * s;
        }
        T *to = q + (long long)m * heads * dimension + n;
        if (head >= heads) {
            T *cache = head < heads + groups ? keys : values;
            to = cache + ((long long)slots[m] * groups + (head - heads) % groups) * dimension + d;
        }
        to[0] = dev::from_float<T>(a);
        to[1] = dev::from_float<T>(b);
    };
    each_set<T, W, rows>(
        x, x_rows, width, norm, norm_type, epsilon, weights, (outputs + 3) / 4, memory, chosen, use);
}

// weights [2 · inner, width]: all gates, then all ups; y [x_rows, inner].
template <class T, class W, int rows>
DEV void feed_forward_input(
    NORM_PARAMETERS, const matrix &weights, const void *bias, int bias_type, int inner, T *y,
    const fused_memory &memory
) {
    auto chosen = [=](int set, int (&row)[4]) {
        row[0] = set * 2;
        row[1] = set * 2 + 1 < inner ? set * 2 + 1 : inner - 1;
        row[2] = inner + row[0];
        row[3] = inner + row[1];
    };
    auto use = [=](int set) {
        int m = threadIdx.x / 2, at = threadIdx.x % 2, n = set * 2 + at;
        if (m >= x_rows || n >= inner) return;
        float gate = memory.totals[m * 4 + at] + (bias ? parameter(bias, bias_type, n) : 0.0f);
        float up = memory.totals[m * 4 + 2 + at] + (bias ? parameter(bias, bias_type, inner + n) : 0.0f);
        y[(long long)m * inner + n] = dev::from_float<T>(silu(rounded<T>(gate)) * rounded<T>(up));
    };
    each_set<T, W, rows>(x, x_rows, width, norm, norm_type, epsilon, weights, (inner + 1) / 2, memory, chosen, use);
}

#define FUSED(type, t, W, w, R)                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) attention_input_##t##_##w##_r##R(                               \
        const type *x, int x_rows, int width, const void *norm, int norm_type, float epsilon, WEIGHT_PARAMETERS,      \
        const void *bias, int bias_type, int heads, int groups, int dimension, const float *cosines,                  \
        const float *sines, int pairs, const int *positions, const int *slots, type *keys, type *values, type *q) {   \
        SHARED(float, partials, 4 * R * 4);                                                                           \
        SHARED(float, totals, R * 4);                                                                                 \
        attention_input<type, W, R>(                                                                                  \
            x, x_rows, width, norm, norm_type, epsilon, WEIGHT_ARGUMENTS, bias, bias_type, heads, groups, dimension,  \
            cosines, sines, pairs, positions, slots, keys, values, q, {partials, totals});                            \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128) feed_forward_input_##t##_##w##_r##R(                            \
        const type *x, int x_rows, int width, const void *norm, int norm_type, float epsilon, WEIGHT_PARAMETERS,      \
        const void *bias, int bias_type, int inner, type *y) {                                                        \
        SHARED(float, partials, 4 * R * 4);                                                                           \
        SHARED(float, totals, R * 4);                                                                                 \
        feed_forward_input<type, W, R>(                                                                               \
            x, x_rows, width, norm, norm_type, epsilon, WEIGHT_ARGUMENTS, bias, bias_type, inner, y,                  \
            {partials, totals});                                                                                      \
    }
#define FUSED_ROWS(T, t, W, w) FUSED(T, t, W, w, 1) FUSED(T, t, W, w, 4)
#define FUSED_ALL(T, t)                                                                                               \
    FUSED_ROWS(T, t, T, t) FUSED_ROWS(T, t, fp8, fp8) FUSED_ROWS(T, t, code8, int8) FUSED_ROWS(T, t, code4, int4)
