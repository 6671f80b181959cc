// Sums over a block, parameters of any type, activations: what most kernels share.
#pragma once
#include "dev.cuh"

// A parameter's element, whatever its type.
DEV float parameter(const void *values, int type, long long index) {
    if (type == TYPE_BF16) return dev::to_float(((const bf16 *)values)[index]);
    if (type == TYPE_F16) return dev::to_float(((const f16 *)values)[index]);
    return ((const float *)values)[index];
}

DEV void store_typed(void *values, int type, long long index, float x) {
    if (type == TYPE_BF16) ((bf16 *)values)[index] = dev::from_float<bf16>(x);
    else if (type == TYPE_F16) ((f16 *)values)[index] = dev::from_float<f16>(x);
    else ((float *)values)[index] = x;
}

// What is left of `x` after it was stored as T.
template <class T> DEV float rounded(float x) { return dev::to_float(dev::from_float<T>(x)); }

DEV float warp_sum(float x) {
    float sum[1] = {x};
    dev::warp_sum(sum);
    return sum[0];
}

// Sum over the block, for every thread; `partials` has room for 32 and may be used again after a barrier.
DEV float block_sum(float x, float *partials) {
    x = warp_sum(x);
    int warps = blockDim.x >> 5;
    if ((threadIdx.x & 31) == 0) partials[threadIdx.x >> 5] = x;
    dev::barrier();
    float sum = 0;
    for (int i = 0; i < warps; ++i) sum += partials[i];
    return sum;
}

DEV float silu(float x) { return x / (1.0f + dev::exp(-x)); }
DEV float gelu(float x) { return 0.5f * x * (1.0f + dev::erf(x * 0.70710678118654752f)); }

// Stores a float32 result through an epilogue; `y` has type T.
template <class T> DEV void store_through(T *y, long long index, float x, int epilogue) {
    if (epilogue == EPILOGUE_GELU) x = gelu(x);
    if (epilogue == EPILOGUE_ADD) x += dev::to_float(y[index]);
    y[index] = dev::from_float<T>(x);
}
