// Products with plain arithmetic in float32, whatever the types of x, weights and y: y = epilogue(x · weightᵀ + bias).
//
// Grid [ceil(outputs / 64), ceil(x_rows / 64)], block [256], no dynamic shared memory: a thread makes 4 × 4 elements of a tile
// of 64 × 64. For float32 activations, and for weights of another floating-point type than the activations. Matches
// Backend.linear. Parameters as in product.cuh, with `x_type` and `weight_kind`.
#include "weights.cuh"

enum { KIND_F32 = 0, KIND_F16 = 1, KIND_BF16 = 2, KIND_I8 = 3, KIND_FP8 = 4, KIND_I4 = 5 };

constexpr int side = 64, depth = 16;

DEV float weight_of(const matrix &m, int kind, int n, int k) {
    const unsigned char *row = m.row(n);
    if (kind == KIND_F32) return format<float>::element(row, k);
    if (kind == KIND_F16) return format<f16>::element(row, k);
    if (kind == KIND_BF16) return format<bf16>::element(row, k);
    float code = kind == KIND_I8 ? format<code8>::element(row, k)
                 : kind == KIND_FP8 ? format<fp8>::element(row, k)
                                    : format<code4>::element(row, k);
    return code * m.scale(n, k);
}

extern "C" __global__ void __launch_bounds__(256) product_plain(
    const void *x, int x_type, int x_rows, int inputs, int weight_kind, WEIGHT_PARAMETERS, int outputs,
    const void *bias, int bias_type, int epilogue, void *y, int y_type) {
    SHARED(float, x_tile, depth * side);
    SHARED(float, w_tile, depth * side);
    dev::wait_for_previous_grid();
    matrix weights = WEIGHT_ARGUMENTS;
    int first_row = blockIdx.y * side, first_column = blockIdx.x * side;
    int down = threadIdx.x / 16, across = threadIdx.x % 16;
    float sums[4][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}};
    for (int first = 0; first < inputs; first += depth) {
        for (int i = threadIdx.x; i < depth * side; i += 256) {
            int k = first + i % depth, row = first_row + i / depth, n = first_column + i / depth;
            int at = i % depth * side + i / depth;
            x_tile[at] = row < x_rows && k < inputs ? parameter(x, x_type, (long long)row * inputs + k) : 0.0f;
            w_tile[at] = n < outputs && k < inputs ? weight_of(weights, weight_kind, n, k) : 0.0f;
        }
        dev::barrier();
        for (int k = 0; k < depth; ++k) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float left = x_tile[k * side + down * 4 + i];
#pragma unroll
                for (int j = 0; j < 4; ++j) sums[i][j] += left * w_tile[k * side + across + 16 * j];
            }
        }
        dev::barrier();
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            int row = first_row + down * 4 + i, n = first_column + across + 16 * j;
            if (row >= x_rows || n >= outputs) continue;
            float sum = sums[i][j] + (bias ? parameter(bias, bias_type, n) : 0.0f);
            long long index = (long long)row * outputs + n;
            if (epilogue == EPILOGUE_GELU) sum = gelu(sum);
            if (epilogue == EPILOGUE_ADD) sum += parameter(y, y_type, index);
            store_typed(y, y_type, index, sum);
        }
    }
    dev::launch_next_grid();
}
