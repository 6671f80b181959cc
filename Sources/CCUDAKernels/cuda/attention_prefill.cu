// Causal attention of packed sequences over their pages, on tensor cores, for sequences with several new rows.
//
// Grid [ceil(most new rows of a sequence / 64), heads, sequences], block [128], no dynamic shared memory. Sequences with
// fewer than `least_rows` new rows are left to attention_decode.cu. paged_attention_<T>_d<D> takes head dimensions that are
// multiples of 8 up to D; paged_attention_int8_<T>_d<D> reads a cache of bytes with scales, dimensions that are multiples
// of 8. Matches Backend.pagedAttention.
//
// q, y [rows, heads · dimension] of T; keys, values: see cache.cuh; offsets [sequences + 1]; contexts [sequences];
// pages [sequences, pages_per_sequence].
#include "flash.cuh"

template <class T, int D, bool quantized>
DEV void paged_attention(
    const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,
    const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, int least_rows, T *y,
    T *key_tile, T *value_tile
) {
    dev::wait_for_previous_grid();
    int sequence = blockIdx.z, head = blockIdx.y, group = head / (heads / groups);
    int first_row = offsets[sequence], rows = offsets[sequence + 1] - first_row, context = contexts[sequence];
    if (rows < least_rows || (int)blockIdx.x * 64 >= rows) return;
    const int *own_pages = pages + (long long)sequence * pages_per_sequence;
    using cache = cache_row<T, quantized>;
    long long start = (long long)first_row * heads * dimension + head * dimension;
    auto query = [=](int i) { return q + start + (long long)i * heads * dimension; };
    auto key = [=](int i) { return cache::head(keys, slot_of(own_pages, page_size, i), groups, group, dimension); };
    auto value = [=](int i) { return cache::head(values, slot_of(own_pages, page_size, i), groups, group, dimension); };
    auto visible = [=](int i) { return context - rows + i + 1; };
    auto place = [=](int i) { return y + start + (long long)i * heads * dimension; };
    flash_attention<T, D, quantized>(
        query, key, value, visible, place, blockIdx.x * 64, rows, dimension, key_tile, value_tile);
    dev::launch_next_grid();
}

#define PREFILL(T, suffix, D, quantized, name)                                                                        \
    extern "C" __global__ void __launch_bounds__(128) name##_##suffix##_d##D(                                         \
        const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,        \
        const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, int least_rows, T *y) {    \
        SHARED(T, key_tile, tile_shape<D>::elements);                                                                 \
        SHARED(T, value_tile, tile_shape<D>::elements);                                                               \
        paged_attention<T, D, quantized>(                                                                             \
            q, heads, groups, dimension, keys, values, page_size, offsets, contexts, pages, pages_per_sequence,       \
            least_rows, y, key_tile, value_tile);                                                                     \
    }
#define PREFILL_SIZES(T, suffix)                                                                                      \
    PREFILL(T, suffix, 64, false, paged_attention) PREFILL(T, suffix, 128, false, paged_attention)                    \
    PREFILL(T, suffix, 64, true, paged_attention_int8) PREFILL(T, suffix, 128, true, paged_attention_int8)

PREFILL_SIZES(f16, f16)
#ifdef HAS_BF16_MMA
PREFILL_SIZES(bf16, bf16)
#endif
