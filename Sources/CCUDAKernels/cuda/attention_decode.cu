// Causal attention of single new rows over their pages, split along the keys: decoding.
//
// decode_attention: grid [splits, groups · ceil(heads of a group / 16), sequences], block [128], no dynamic shared memory.
// The query heads of a group, 16 at most, are the rows of one tensor core product, so that keys and values are read once
// for all of them; each of the four warps takes 16 keys of a tile of 64. A split covers a run of tiles and leaves, per head,
// its largest score, its sum of weights and its unscaled values. Sequences that do not have exactly one new row are left
// to attention_prefill.cu.
// combine_splits: grid [heads, sequences], block [32]: the result, from all splits' parts.
//
// q, y [rows, heads · dimension] of T; parts [sequences, heads, splits, D + 2] float32; the rest as in
// attention_prefill.cu.
#include "flash.cuh"

template <class T, int D> struct decode_memory {
    T *keys, *values;     // tiles; later the warps' values, [4, 16, D] float32
    float *largest, *sum; // [4, 16]
};

// What four warps have of 16 heads becomes one part per head.
template <class T, int D>
DEV void merge_warps(
    running_softmax<T, D> &softmax, const decode_memory<T, D> &memory, float *parts, int heads_here, int head_stride
) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane / 4, t = lane % 4;
    float *o = (float *)memory.keys;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        int row = warp * 16 + g + 8 * half;
        float total = softmax.total(half);
        if (t == 0) {
            memory.largest[row] = softmax.largest[half];
            memory.sum[row] = total;
        }
#pragma unroll
        for (int j = 0; j < D / 8; ++j) {
            o[row * D + 8 * j + 2 * t] = softmax.o[j][2 * half];
            o[row * D + 8 * j + 2 * t + 1] = softmax.o[j][2 * half + 1];
        }
    }
    dev::barrier();
    for (int i = threadIdx.x; i < heads_here * (D + 2); i += blockDim.x) {
        int head = i / (D + 2), at = i % (D + 2);
        float top = memory.largest[head];
        for (int w = 1; w < 4; ++w) top = fmaxf(top, memory.largest[w * 16 + head]);
        float origin = top == dev::from_bits(0xff800000u) ? 0.0f : top;
        float x = 0;
        for (int w = 0; w < 4; ++w) {
            float factor = dev::exp2(memory.largest[w * 16 + head] - origin);
            x += factor * (at < D ? o[(w * 16 + head) * D + at] : memory.sum[w * 16 + head]);
        }
        parts[(long long)head * head_stride + at] = at == D + 1 ? top : x;
    }
}

template <class T, int D, bool quantized>
DEV void decode_attention(
    const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,
    const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, float *parts,
    const decode_memory<T, D> &memory
) {
    dev::wait_for_previous_grid();
    int sequence = blockIdx.z, row = offsets[sequence], context = contexts[sequence];
    if (offsets[sequence + 1] - row != 1) return;
    int per_group = heads / groups, sets = (per_group + 15) / 16;
    int group = blockIdx.y / sets, first_head = group * per_group + blockIdx.y % sets * 16;
    int left = (group + 1) * per_group - first_head, heads_here = left < 16 ? left : 16;

    int tiles = (context + tile_rows - 1) / tile_rows, share = (tiles + gridDim.x - 1) / gridDim.x;
    int begin = blockIdx.x * share * tile_rows, end = begin + share * tile_rows;
    if (end > context) end = context;

    const int *own_pages = pages + (long long)sequence * pages_per_sequence;
    using cache = cache_row<T, quantized>;
    const T *first_query = q + ((long long)row * heads + first_head) * dimension;
    auto query = [=](int i) { return first_query + i * dimension; };
    auto key = [=](int i) { return cache::head(keys, slot_of(own_pages, page_size, i), groups, group, dimension); };
    auto value = [=](int i) { return cache::head(values, slot_of(own_pages, page_size, i), groups, group, dimension); };

    int warp = threadIdx.x >> 5, t = threadIdx.x % 4;
    query_fragments<T, D> fragments;
    fragments.load(query, 0, heads_here, dimension);
    running_softmax<T, D> softmax;
    softmax.clear();
    float unit = log2_e / dev::sqrt((float)dimension), none = dev::from_bits(0xff800000u);
    if (begin < end) load_tile<T, D, quantized>(memory.keys, key, begin, end, dimension);
    for (int first = begin; first < end; first += tile_rows) {
        load_tile<T, D, quantized>(memory.values, value, first, end, dimension);
        dev::copy_async_wait<1>();
        dev::barrier();
        float s[2][4];
        multiply_keys<T, D, 1>(fragments, memory.keys, warp * 16, s);
        dev::barrier();
        if (first + tile_rows < end) {
            load_tile<T, D, quantized>(memory.keys, key, first + tile_rows, end, dimension);
        } else {
            dev::copy_async_commit(); // an empty group, so that the wait below counts the same
        }
#pragma unroll
        for (int j = 0; j < 2; ++j) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                s[j][i] = first + warp * 16 + 8 * j + 2 * t + i % 2 < end ? s[j][i] * unit : none;
            }
        }
        softmax.weigh(s);
        dev::copy_async_wait<1>();
        dev::barrier();
        softmax.template add_values<1>(s, memory.values, warp * 16);
        dev::barrier();
    }
    int head_stride = gridDim.x * (D + 2);
    float *part = parts + ((long long)sequence * heads + first_head) * head_stride + blockIdx.x * (D + 2);
    merge_warps<T, D>(softmax, memory, part, heads_here, head_stride);
    dev::launch_next_grid();
}

// The parts of one head and sequence, scaled to the largest score of all.
template <class T>
DEV void combine_splits(
    const float *parts, int splits, int part_dimension, int dimension, const int *offsets, T *y
) {
    dev::wait_for_previous_grid();
    int sequence = blockIdx.y, head = blockIdx.x, heads = gridDim.x, row = offsets[sequence], stride = part_dimension + 2;
    if (offsets[sequence + 1] - row != 1) return;
    const float *part = parts + ((long long)sequence * heads + head) * splits * stride;
    float top = dev::from_bits(0xff800000u), sum = 0;
    for (int i = 0; i < splits; ++i) top = fmaxf(top, part[i * stride + part_dimension + 1]);
    for (int i = 0; i < splits; ++i) {
        sum += part[i * stride + part_dimension] * dev::exp2(part[i * stride + part_dimension + 1] - top);
    }
    for (int d = threadIdx.x; d < dimension; d += blockDim.x) {
        float x = 0;
        for (int i = 0; i < splits; ++i) {
            x += part[i * stride + d] * dev::exp2(part[i * stride + part_dimension + 1] - top);
        }
        y[((long long)row * heads + head) * dimension + d] = dev::from_float<T>(x / sum);
    }
    dev::launch_next_grid();
}

#define DECODE(T, suffix, D, quantized, name)                                                                         \
    extern "C" __global__ void __launch_bounds__(128) name##_##suffix##_d##D(                                         \
        const T *q, int heads, int groups, int dimension, const void *keys, const void *values, int page_size,        \
        const int *offsets, const int *contexts, const int *pages, int pages_per_sequence, float *parts) {            \
        SHARED(T, tiles, 2 * tile_shape<D>::elements);                                                                \
        SHARED(float, largest, 64);                                                                                   \
        SHARED(float, sum, 64);                                                                                       \
        decode_attention<T, D, quantized>(                                                                            \
            q, heads, groups, dimension, keys, values, page_size, offsets, contexts, pages, pages_per_sequence,       \
            parts, {tiles, tiles + tile_shape<D>::elements, largest, sum});                                           \
    }
#define COMBINE(T, suffix)                                                                                            \
    extern "C" __global__ void __launch_bounds__(32) combine_splits_##suffix(                                         \
        const float *parts, int splits, int part_dimension, int dimension, const int *offsets, T *y) {                \
        combine_splits(parts, splits, part_dimension, dimension, offsets, y);                                         \
    }
#define DECODE_SIZES(T, suffix)                                                                                       \
    DECODE(T, suffix, 64, false, decode_attention) DECODE(T, suffix, 128, false, decode_attention)                    \
    DECODE(T, suffix, 64, true, decode_attention_int8) DECODE(T, suffix, 128, true, decode_attention_int8)

DECODE_SIZES(f16, f16)
COMBINE(f16, f16)
#ifdef HAS_BF16_MMA
DECODE_SIZES(bf16, bf16)
COMBINE(bf16, bf16)
#endif
