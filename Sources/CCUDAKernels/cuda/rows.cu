// Rows of tables and pictures: gather, patches, neighborhoods.
//
// Grid [rows of y], block [256], no shared memory. Matches Backend.gatherRows, patchify and gatherNeighborhoods.
#include "block.cuh"

// table [_, width] of any type; indices [rows], negative: the row of y [rows, width] stays.
template <class T> DEV void gather_rows(const void *table, int type, const int *indices, int width, T *y) {
    dev::wait_for_previous_grid();
    int index = indices[blockIdx.x];
    if (index < 0) return;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        y[(long long)blockIdx.x * width + i] = dev::from_float<T>(parameter(table, type, (long long)index * width + i));
    }
    dev::launch_next_grid();
}

// pixels [images, channels, side, side]; row (image, patch row, patch column) of y holds (channel, row, column).
template <class T> DEV void patchify(const float *pixels, int channels, int side, int patch, T *y) {
    dev::wait_for_previous_grid();
    int grid = side / patch, area = patch * patch, width = channels * area;
    int image = blockIdx.x / (grid * grid), cell = blockIdx.x % (grid * grid);
    int top = cell / grid * patch, left = cell % grid * patch;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        int channel = i / area, r = i % area / patch, c = i % patch;
        long long from = ((long long)(image * channels + channel) * side + top + r) * side + left + c;
        y[(long long)blockIdx.x * width + i] = dev::from_float<T>(pixels[from]);
    }
    dev::launch_next_grid();
}

// cells [side · side, channels]; row (r, c) of y [(side / 2)², channels · 4] holds (channel, kernel row, kernel column).
template <class T> DEV void gather_neighborhoods(const T *cells, int side, int channels, T *y) {
    dev::wait_for_previous_grid();
    int half = side / 2, top = blockIdx.x / half * 2, left = blockIdx.x % half * 2;
    for (int i = threadIdx.x; i < channels * 4; i += blockDim.x) {
        int cell = (top + i / 2 % 2) * side + left + i % 2;
        y[(long long)blockIdx.x * channels * 4 + i] = cells[(long long)cell * channels + i / 4];
    }
    dev::launch_next_grid();
}

#define ROWS(T, suffix)                                                                                               \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        gather_rows_##suffix(const void *table, int table_type, const int *indices, int width, T *y) {                \
        gather_rows(table, table_type, indices, width, y);                                                            \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        patchify_##suffix(const float *pixels, int channels, int side, int patch, T *y) {                             \
        patchify(pixels, channels, side, patch, y);                                                                   \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        gather_neighborhoods_##suffix(const T *cells, int side, int channels, T *y) {                                 \
        gather_neighborhoods(cells, side, channels, y);                                                               \
    }

ROWS(float, f32)
ROWS(f16, f16)
ROWS(bf16, bf16)
