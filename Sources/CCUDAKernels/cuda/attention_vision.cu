// Bidirectional attention within sequences, straight from a fused projection, on tensor cores.
//
// Grid [ceil(length / 64), heads, sequences], block [128], no dynamic shared memory. bidirectional_attention_<T>_d<D>
// takes head dimensions that are multiples of 8 up to D. Matches Backend.bidirectionalAttention.
//
// qkv [sequences · length, 3 · heads · dimension] of T: all queries, all keys, all values; aligned to 16 bytes.
// y [sequences · length, heads · dimension] of T.
#include "flash.cuh"

template <class T, int D>
DEV void bidirectional_attention(
    const T *qkv, int length, int heads, int dimension, T *y, T *key_tile, T *value_tile
) {
    dev::wait_for_previous_grid();
    int width = heads * dimension, head = blockIdx.y;
    const T *first = qkv + (long long)blockIdx.z * length * 3 * width + head * dimension;
    T *result = y + (long long)blockIdx.z * length * width + head * dimension;
    auto row = [=](int i) { return first + (long long)i * 3 * width; };
    auto key = [=](int i) { return (const unsigned char *)(row(i) + width); };
    auto value = [=](int i) { return (const unsigned char *)(row(i) + 2 * width); };
    auto visible = [=](int) { return length; };
    auto place = [=](int i) { return result + (long long)i * width; };
    flash_attention<T, D, false>(
        row, key, value, visible, place, blockIdx.x * 64, length, dimension, key_tile, value_tile);
    dev::launch_next_grid();
}

#define BIDIRECTIONAL(T, suffix, D)                                                                                   \
    extern "C" __global__ void __launch_bounds__(128) bidirectional_attention_##suffix##_d##D(                        \
        const T *qkv, int length, int heads, int dimension, T *y) {                                                   \
        SHARED(T, key_tile, tile_shape<D>::elements);                                                                 \
        SHARED(T, value_tile, tile_shape<D>::elements);                                                               \
        bidirectional_attention<T, D>(qkv, length, heads, dimension, y, key_tile, value_tile);                        \
    }
#define BIDIRECTIONAL_SIZES(T, suffix)                                                                                \
    BIDIRECTIONAL(T, suffix, 32) BIDIRECTIONAL(T, suffix, 64) BIDIRECTIONAL(T, suffix, 112)                           \
    BIDIRECTIONAL(T, suffix, 128)

BIDIRECTIONAL_SIZES(f16, f16)
#ifdef HAS_BF16_MMA
BIDIRECTIONAL_SIZES(bf16, bf16)
#endif
