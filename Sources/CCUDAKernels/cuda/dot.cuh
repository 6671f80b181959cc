// Dot products of a few rows of x with a few rows of a weight matrix, the inputs divided over the block's threads.
//
// What bounds these is the weights' way from memory: each thread has two sets of 16-byte loads under way, and the first
// set is asked for before the kernel waits for the one before it, whose results the weights do not depend on.
#pragma once
#include "weights.cuh"

template <class T, class W, int rows, int outputs> struct dot_products {
    using F = format<W>;

    matrix weights;
    int inputs;
    int row[outputs];       // of the weights; all valid
    float sums[rows * outputs];
    words4 next[outputs];   // the vectors that come next
    int vectors;            // whole vectors of a row; 0 where it must be read element by element
    bool one_scale;         // whether a vector's elements share a scale

    DEV_METHOD dot_products(const matrix &weights, int inputs) : weights(weights), inputs(inputs) {
        bool whole = weights.row_bytes % 16 == 0 && (size_t)weights.codes % 16 == 0 && inputs * sizeof(T) % 16 == 0;
        vectors = whole ? inputs / F::count : 0;
        one_scale = weights.group >= inputs || weights.group % F::count == 0;
    }

    // Chooses the weight rows and asks for their first vectors.
    DEV_METHOD void begin(const int (&chosen)[outputs]) {
#pragma unroll
        for (int o = 0; o < outputs; ++o) {
            row[o] = chosen[o];
#pragma unroll
            for (int m = 0; m < rows; ++m) sums[m * outputs + o] = 0;
        }
        load(threadIdx.x);
    }

    // Adds this thread's share; row m of x starts at x + m · stride. Rows after the `count`-th repeat the last.
    DEV_METHOD void run(const T *x, int stride, int count) {
        int offset[rows];
#pragma unroll
        for (int m = 0; m < rows; ++m) offset[m] = (m < count ? m : count - 1) * stride;
        for (int v = threadIdx.x; v < vectors; v += blockDim.x) {
            words4 now[outputs];
#pragma unroll
            for (int o = 0; o < outputs; ++o) now[o] = next[o];
            load(v + blockDim.x);
            float scale[outputs];
            steps<0>(now, scale, x, offset, v * F::count);
        }
        for (int k = vectors * F::count + threadIdx.x; k < inputs; k += blockDim.x) element(x, offset, k);
    }

    // Sums over the block: `totals` [rows · outputs] is complete for every thread after a barrier; `partials` has
    // room for rows · outputs per warp.
    DEV_METHOD void finish(float *partials, float *totals) {
        int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
        dev::warp_sum(sums);
        if (lane == 0) {
#pragma unroll
            for (int i = 0; i < rows * outputs; ++i) partials[warp * rows * outputs + i] = sums[i];
        }
        dev::barrier();
        if (threadIdx.x < rows * outputs) {
            float sum = 0;
            for (int i = 0; i < warps; ++i) sum += partials[i * rows * outputs + threadIdx.x];
            totals[threadIdx.x] = sum;
        }
        dev::barrier();
    }

private:
    DEV_METHOD void load(int v) {
        if (v >= vectors) return;
#pragma unroll
        for (int o = 0; o < outputs; ++o) next[o] = dev::load_stream(weights.row(row[o]) + v * 16ll);
    }

    template <int at>
    DEV_METHOD void steps(const words4 (&now)[outputs], float (&scale)[outputs], const T *x, const int (&offset)[rows], int k) {
        step<at>(now, scale, x, offset, k + at * F::step);
        if constexpr ((at + 1) * F::step < F::count) steps<at + 1>(now, scale, x, offset, k);
    }

    template <int at>
    DEV_METHOD void step(const words4 (&now)[outputs], float (&scale)[outputs], const T *x, const int (&offset)[rows], int k) {
        float w[outputs][F::step];
        bool rescale = F::scaled && (at == 0 || !one_scale);
#pragma unroll
        for (int o = 0; o < outputs; ++o) {
            F::template decode<at>(now[o], w[o]);
            if (rescale) scale[o] = weights.scale(row[o], k);
        }
#pragma unroll
        for (int m = 0; m < rows; ++m) {
            float v[F::step];
            load_activations(x + offset[m] + k, v);
#pragma unroll
            for (int o = 0; o < outputs; ++o) {
                float sum = F::scaled ? 0.0f : sums[m * outputs + o];
#pragma unroll
                for (int i = 0; i < F::step; ++i) sum += w[o][i] * v[i];
                if constexpr (F::scaled) sum = sums[m * outputs + o] + scale[o] * sum;
                sums[m * outputs + o] = sum;
            }
        }
    }

    DEV_METHOD void element(const T *x, const int (&offset)[rows], int k) {
#pragma unroll
        for (int o = 0; o < outputs; ++o) {
            float w = F::element(weights.row(row[o]), k);
            if constexpr (F::scaled) w *= weights.scale(row[o], k);
#pragma unroll
            for (int m = 0; m < rows; ++m) sums[m * outputs + o] += w * dev::to_float(x[offset[m] + k]);
        }
    }
};
