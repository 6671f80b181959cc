// Random weights, made where they are used: the numbers that NoiseTensor describes, bit for bit as the host makes them.
//
// Grid [rows] or fewer: a block goes on in steps of the grid. Block [256], no shared memory. Element i of a tensor, in
// row-major order, is number (offset + i) mod 1,048,573 of the sequence of `seed`, times `width`, plus `center`, in one
// rounding, and is then rounded to the element type, ties to even. Matches Backend.generate.
#include "block.cuh"

// As `weight_kind` of product_plain.cu.
enum { KIND_F32 = 0, KIND_F16 = 1, KIND_BF16 = 2, KIND_I8 = 3, KIND_FP8 = 4, KIND_I4 = 5 };

constexpr unsigned noise_period = 1048573;

// One of the uniform numbers from -1 to 1: the upper 24 bits of SplitMix64, whose state is a count.
DEV float noise_number(unsigned long long seed, unsigned position) {
    unsigned long long mixed = seed + (position + 1ull) * 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    mixed ^= mixed >> 31;
    return (float)(unsigned)(mixed >> 40) * 0x1p-23f - 1.0f; // exact
}

// The code of the nearest e4m3fn number, ties to even; numbers beyond the largest become the largest.
DEV unsigned fp8_code(float x) {
    unsigned sign = dev::to_bits(x) >> 24 & 0x80u, magnitude = dev::to_bits(x) & 0x7fffffffu;
    if (magnitude < 0x3c800000u) { // below 2^-6 in steps of 2^-9
        return sign | (unsigned)dev::round_to_int(dev::from_bits(magnitude) * 512.0f);
    }
    if (magnitude > 0x43e00000u) magnitude = 0x43e00000u; // 448
    return sign | (((magnitude + 0x7ffffu + (magnitude >> 20 & 1u)) >> 20) - (120u << 3));
}

// y [rows, row_bytes]: `columns` elements, and zeros behind them.
extern "C" __global__ void __launch_bounds__(256) fill_noise(
    void *y, int kind, int rows, int columns, int row_bytes, long long seed, long long offset, float center,
    float width) {
    dev::wait_for_previous_grid();
    int item_bytes = kind == KIND_F32 ? 4 : kind == KIND_F16 || kind == KIND_BF16 ? 2 : 1;
    int items = row_bytes / item_bytes;
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        unsigned first = (unsigned)(((unsigned long long)offset + (unsigned long long)row * columns) % noise_period);
        unsigned char *start = (unsigned char *)y + (long long)row * row_bytes;
        auto number = [&](int column) {
            float noise = noise_number((unsigned long long)seed, (first + (unsigned)column) % noise_period);
            return fmaf(width, noise, center);
        };
        for (int i = threadIdx.x; i < items; i += blockDim.x) {
            if (kind == KIND_I4) {
                unsigned low = 2 * i < columns ? (unsigned)dev::round_to_int(number(2 * i)) : 0;
                unsigned high = 2 * i + 1 < columns ? (unsigned)dev::round_to_int(number(2 * i + 1)) : 0;
                start[i] = (unsigned char)(low | high << 4);
            } else if (kind == KIND_I8) {
                start[i] = (unsigned char)(i < columns ? dev::round_to_int(number(i)) : 0);
            } else if (kind == KIND_FP8) {
                start[i] = (unsigned char)(i < columns ? fp8_code(number(i)) : 0);
            } else {
                store_typed(start, kind, i, number(i));
            }
        }
    }
    dev::launch_next_grid();
}
