// Elementwise operations over any number of elements.
//
// Grid [ceil(count / 256)] or fewer: a thread goes on in steps of the grid. Block [256], no shared memory. Matches
// Backend.gatedSiLU, add, scale, copy and containsNonFinite; `gelu` follows a product that another library computed.
#include "block.cuh"

DEV long long first_index() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }
DEV long long index_step() { return (long long)gridDim.x * blockDim.x; }

// gate_up [rows, 2 · width]: a row holds all gates, then all ups; y [rows, width]; count = rows · width.
template <class T> DEV void gated_silu_fused(const T *gate_up, int width, T *y, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) {
        long long gate = i / width * 2 * width + i % width;
        float up = dev::to_float(gate_up[gate + width]);
        y[i] = dev::from_float<T>(silu(dev::to_float(gate_up[gate])) * up);
    }
}

// y may be gate or up.
template <class T> DEV void gated_silu(const T *gate, const T *up, T *y, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) {
        y[i] = dev::from_float<T>(silu(dev::to_float(gate[i])) * dev::to_float(up[i]));
    }
}

// In place.
template <class T> DEV void gelu_all(T *x, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) x[i] = dev::from_float<T>(gelu(dev::to_float(x[i])));
}

// y += x, where x has any type.
template <class T> DEV void add(const void *x, int x_type, T *y, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) {
        y[i] = dev::from_float<T>(dev::to_float(y[i]) + parameter(x, x_type, i));
    }
}

template <class T> DEV void scale(T *x, float factor, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) {
        x[i] = dev::from_float<T>(dev::to_float(x[i]) * factor);
    }
}

#define ELEMENTWISE(T, suffix)                                                                                        \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        gated_silu_fused_##suffix(const T *gate_up, int width, T *y, long long count) {                               \
        gated_silu_fused(gate_up, width, y, count);                                                                   \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        gated_silu_##suffix(const T *gate, const T *up, T *y, long long count) {                                      \
        gated_silu(gate, up, y, count);                                                                               \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256) gelu_##suffix(T *x, long long count) { gelu_all(x, count); }    \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        add_##suffix(const void *x, int x_type, T *y, long long count) {                                              \
        add(x, x_type, y, count);                                                                                     \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256) scale_##suffix(T *x, float factor, long long count) {           \
        scale(x, factor, count);                                                                                      \
    }

ELEMENTWISE(float, f32)
ELEMENTWISE(f16, f16)
ELEMENTWISE(bf16, bf16)

// Copies with conversion; bytes of equal types are copied by the driver.
extern "C" __global__ void __launch_bounds__(256)
    copy_convert(const void *x, int x_type, void *y, int y_type, long long count) {
    dev::wait_for_previous_grid();
    for (long long i = first_index(); i < count; i += index_step()) {
        store_typed(y, y_type, i, parameter(x, x_type, i));
    }
}

// Sets *found, which the caller cleared, when any element is NaN or infinite.
extern "C" __global__ void __launch_bounds__(256)
    find_non_finite(const void *x, int x_type, int *found, long long count) {
    dev::wait_for_previous_grid();
    bool any = false;
    for (long long i = first_index(); i < count; i += index_step()) {
        any |= (dev::to_bits(parameter(x, x_type, i)) & 0x7f800000u) == 0x7f800000u;
    }
    if (any) dev::set_flag(found);
}
