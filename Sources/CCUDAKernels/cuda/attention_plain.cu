// Attention with plain arithmetic in float32, for what the tensor core kernels do not take: float32 activations, and head
// dimensions that are no multiple of 8 or too large. One warp per query row and head, head dimensions up to 256.
//
// Grid [rows, ceil(heads / 4)], block [128], no dynamic shared memory. A lane scores one key of 32, then weighs the values of
// its elements. Matches Backend.bidirectionalAttention and pagedAttention; parameters as in attention_vision.cu and
// attention_prefill.cu, and `sequences`, the number of them.
#include "cache.cuh"

constexpr int lane_elements = 8;

// Attention of one query over keys 0 ... count - 1; weights [32] is the warp's own shared memory.
template <class T, class Key, class Value>
DEV void attend(
    const T *query, const Key &key, const Value &value, int count, int dimension, T *y, float *weights
) {
    int lane = threadIdx.x & 31;
    float unit = 1.0f / dev::sqrt((float)dimension), largest = dev::from_bits(0xff800000u), sum = 0;
    float o[lane_elements] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int first = 0; first < count; first += 32) {
        float score = dev::from_bits(0xff800000u);
        if (first + lane < count) {
            score = 0;
#pragma unroll 1
            for (int d = 0; d < dimension; ++d) score += dev::to_float(query[d]) * key(first + lane, d);
            score *= unit;
        }
        float top = fmaxf(largest, dev::warp_max(score)), factor = dev::exp(largest - top);
        float weight = dev::exp(score - top);
        largest = top;
        sum = sum * factor + warp_sum(weight);
        weights[lane] = weight;
        dev::warp_barrier();
        int here = count - first < 32 ? count - first : 32;
#pragma unroll
        for (int i = 0; i < lane_elements; ++i) {
            int d = lane + 32 * i;
            if (d >= dimension) continue;
            o[i] *= factor;
#pragma unroll 1
            for (int j = 0; j < here; ++j) o[i] += weights[j] * value(first + j, d);
        }
        dev::warp_barrier();
    }
#pragma unroll
    for (int i = 0; i < lane_elements; ++i) {
        int d = lane + 32 * i;
        if (d < dimension) y[d] = dev::from_float<T>(o[i] / sum);
    }
}

template <class T>
DEV void bidirectional_attention(const T *qkv, int length, int heads, int dimension, T *y, float *weights) {
    dev::wait_for_previous_grid();
    int row = blockIdx.x, head = blockIdx.y * 4 + (threadIdx.x >> 5), width = heads * dimension;
    if (head >= heads) return; // the whole warp
    const T *first = qkv + (long long)(row / length) * length * 3 * width + head * dimension;
    auto element = [=](int i, int part, int d) {
        return dev::to_float(first[((long long)i * 3 + part) * width + d]);
    };
    auto key = [=](int i, int d) { return element(i, 1, d); };
    auto value = [=](int i, int d) { return element(i, 2, d); };
    const T *query = qkv + (long long)row * 3 * width + head * dimension;
    attend(query, key, value, length, dimension, y + (long long)row * width + head * dimension, weights);
    dev::launch_next_grid();
}

template <class T, bool quantized>
DEV void paged_attention(
    const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,
    const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, int sequences, T *y,
    float *weights
) {
    dev::wait_for_previous_grid();
    int row = blockIdx.x, head = blockIdx.y * 4 + (threadIdx.x >> 5);
    if (head >= heads) return; // the whole warp
    int sequence = 0, group = head / (heads / groups);
    while (sequence + 1 < sequences && offsets[sequence + 1] <= row) ++sequence;
    int count = contexts[sequence] - (offsets[sequence + 1] - row) + 1;
    const int *own_pages = pages + (long long)sequence * pages_per_sequence;
    using cache = cache_row<T, quantized>;
    auto element = [=](const void *stored, int i, int d) {
        long long slot = slot_of(own_pages, page_size, i);
        return cache::element(cache::head(stored, slot, groups, group, dimension), dimension, d);
    };
    auto key = [=](int i, int d) { return element(keys, i, d); };
    auto value = [=](int i, int d) { return element(values, i, d); };
    long long at = ((long long)row * heads + head) * dimension;
    attend(q + at, key, value, count, dimension, y + at, weights);
    dev::launch_next_grid();
}

#define PAGED(T, suffix, quantized, name)                                                                             \
    extern "C" __global__ void __launch_bounds__(128, 8) name##_##suffix(                                                \
        const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,        \
        const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, int sequences, T *y) {     \
        SHARED(float, weights, 4 * 32);                                                                               \
        paged_attention<T, quantized>(                                                                                \
            q, heads, groups, dimension, keys, values, page_size, offsets, contexts, pages, pages_per_sequence,       \
            sequences, y, weights + (threadIdx.x >> 5) * 32);                                                         \
    }
#define PLAIN(T, suffix)                                                                                              \
    extern "C" __global__ void __launch_bounds__(128) bidirectional_attention_plain_##suffix(                         \
        const T *qkv, int length, int heads, int dimension, T *y) {                                                   \
        SHARED(float, weights, 4 * 32);                                                                               \
        bidirectional_attention(qkv, length, heads, dimension, y, weights + (threadIdx.x >> 5) * 32);                 \
    }                                                                                                                 \
    PAGED(T, suffix, false, paged_attention_plain) PAGED(T, suffix, true, paged_attention_plain_int8)

PLAIN(float, f32)
PLAIN(f16, f16)
PLAIN(bf16, bf16)
