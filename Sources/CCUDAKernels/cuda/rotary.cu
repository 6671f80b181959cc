// Rotary embedding and cache append, one warp per row and head.
//
// Grid [ceil((heads + 2 · groups) / 4), rows], block [128], no dynamic shared memory. Matches Backend.rotateAndAppend: the
// first 2 · pairs elements of query and key heads turn in interleaved pairs, computed in float32; keys and values go to
// row slots[row] of the cache, queries to q. rotate_and_append_int8_<T> stores a cache of bytes with scales.
//
// qkv [rows, (heads + 2 · groups) · dimension] of T; cosines, sines [positions, pairs]; positions, slots [rows];
// keys, values: see cache.cuh; q [rows, heads · dimension] of T. The dimension is even and a multiple of 4 for bytes.
#include "cache.cuh"

// Elements 2i and 2i + 1 of a head, turned when they are among the rotated ones.
template <class T>
DEV void turned_pair(const T *head, int i, const float *cosines, const float *sines, int pairs, float &a, float &b) {
    a = dev::to_float(head[2 * i]);
    b = dev::to_float(head[2 * i + 1]);
    if (i >= pairs) return;
    float c = cosines[i], s = sines[i], x = a;
    a = x * c - b * s;
    b = b * c + x * s;
}

template <class T, bool quantized>
DEV void rotate_and_append(
    const T *qkv, int heads, int groups, int dimension, const float *cosines, const float *sines, int pairs,
    const int *positions, const int *slots, void *keys, void *values, T *q
) {
    int head = blockIdx.x * 4 + (threadIdx.x >> 5), lane = threadIdx.x & 31, row = blockIdx.y;
    if (head >= heads + 2 * groups) return; // the whole warp
    dev::wait_for_previous_grid();
    const T *from = qkv + ((long long)row * (heads + 2 * groups) + head) * dimension;
    if (head >= heads + groups) pairs = 0; // values do not turn
    const float *c = cosines, *s = sines;
    if (pairs > 0) {
        c += (long long)positions[row] * pairs;
        s += (long long)positions[row] * pairs;
    }
    bool is_query = head < heads;
    int group = (head - heads) % groups;
    void *cache = head < heads + groups ? keys : values;
    T *to = q + ((long long)row * heads + head) * dimension;
    unsigned char *stored = nullptr;
    if (!is_query) {
        stored = (unsigned char *)cache_row<T, quantized>::head(cache, slots[row], groups, group, dimension);
        to = (T *)stored;
    }
    float largest = 0, a, b;
    if (quantized && !is_query) {
        for (int i = lane; i < dimension / 2; i += 32) {
            turned_pair(from, i, c, s, pairs, a, b);
            largest = fmaxf(largest, fmaxf(fabsf(a), fabsf(b)));
        }
        largest = dev::warp_max(largest);
        if (lane == 0) *(float *)(stored + dimension) = largest / 127.0f;
    }
    float factor = largest > 0 ? 127.0f / largest : 0.0f;
    for (int i = lane; i < dimension / 2; i += 32) {
        turned_pair(from, i, c, s, pairs, a, b);
        if (quantized && !is_query) {
            ((signed char *)stored)[2 * i] = (signed char)dev::round_to_int(fminf(fmaxf(a * factor, -127.0f), 127.0f));
            ((signed char *)stored)[2 * i + 1] =
                (signed char)dev::round_to_int(fminf(fmaxf(b * factor, -127.0f), 127.0f));
        } else {
            to[2 * i] = dev::from_float<T>(a);
            to[2 * i + 1] = dev::from_float<T>(b);
        }
    }
    dev::launch_next_grid();
}

#define ROTATE(T, suffix, quantized, name)                                                                            \
    extern "C" __global__ void __launch_bounds__(128) name##_##suffix(                                                \
        const T *qkv, int heads, int groups, int dimension, const float *cosines, const float *sines, int pairs,      \
        const int *positions, const int *slots, void *keys, void *values, T *q) {                                     \
        rotate_and_append<T, quantized>(                                                                              \
            qkv, heads, groups, dimension, cosines, sines, pairs, positions, slots, keys, values, q);                 \
    }
#define ROTATE_BOTH(T, suffix)                                                                                        \
    ROTATE(T, suffix, false, rotate_and_append) ROTATE(T, suffix, true, rotate_and_append_int8)

ROTATE_BOTH(float, f32)
ROTATE_BOTH(f16, f16)
ROTATE_BOTH(bf16, bf16)
