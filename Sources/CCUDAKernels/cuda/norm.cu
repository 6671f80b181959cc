// RMSNorm and LayerNorm, one block per row.
//
// Grid [rows], block [256], no dynamic shared memory. Matches Backend.rmsNorm and Backend.layerNorm: statistics in
// float32, one rounding when the result is stored. LayerNorm takes the mean first: the variance of what is left does not
// suffer from a large mean.
#include "block.cuh"

// x, y [rows, width] of T, may be the same; weight [width] of `weight_type`.
template <class T>
DEV void rms_norm(const T *x, int width, const void *weight, int weight_type, float epsilon, T *y, float *partials) {
    const T *row = x + (long long)blockIdx.x * width;
    T *result = y + (long long)blockIdx.x * width;
    dev::wait_for_previous_grid();
    float sum = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float value = dev::to_float(row[i]);
        sum += value * value;
    }
    float factor = 1.0f / dev::sqrt(block_sum(sum, partials) / width + epsilon);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float value = dev::to_float(row[i]) * factor;
        result[i] = dev::from_float<T>(value * parameter(weight, weight_type, i));
    }
    dev::launch_next_grid();
}

// x [rows, width], y [rows, width] of T: stored, passed through GELU, or added to.
template <class T>
DEV void layer_norm(
    const T *x, int width, const void *weight, int weight_type, const void *bias, int bias_type, float epsilon,
    int epilogue, T *y, float *partials
) {
    const T *row = x + (long long)blockIdx.x * width;
    T *result = y + (long long)blockIdx.x * width;
    dev::wait_for_previous_grid();
    float sum = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += dev::to_float(row[i]);
    float mean = block_sum(sum, partials) / width;
    float squares = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float value = dev::to_float(row[i]) - mean;
        squares += value * value;
    }
    float factor = 1.0f / dev::sqrt(block_sum(squares, partials + 32) / width + epsilon);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float value = (dev::to_float(row[i]) - mean) * factor;
        value = value * parameter(weight, weight_type, i) + parameter(bias, bias_type, i);
        store_through(result, i, value, epilogue);
    }
    dev::launch_next_grid();
}

#define NORMS(T, suffix)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        rms_norm_##suffix(const T *x, int width, const void *weight, int weight_type, float epsilon, T *y) {          \
        SHARED(float, partials, 32);                                                                                  \
        rms_norm(x, width, weight, weight_type, epsilon, y, partials);                                                \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256) layer_norm_##suffix(                                            \
        const T *x, int width, const void *weight, int weight_type, const void *bias, int bias_type, float epsilon,   \
        int epilogue, T *y) {                                                                                         \
        SHARED(float, partials, 64);                                                                                  \
        layer_norm(x, width, weight, weight_type, bias, bias_type, epsilon, epilogue, y, partials);                   \
    }

NORMS(float, f32)
NORMS(f16, f16)
NORMS(bf16, bf16)
