// What the attention kernels on tensor cores share: tiles of keys and values in shared memory, fragments, and the
// running softmax of FlashAttention-2 (arXiv 2307.08691), which never stores a score.
//
// A tile is 64 rows of D 16-bit elements, D a multiple of 16 and at least the head's dimension; what is missing is zero.
// Rows are 16 bytes longer than D, so that the eight rows of a matrix load lie in different banks.
#pragma once
#include "cache.cuh"

constexpr int tile_rows = 64;
constexpr float log2_e = 1.4426950408889634f;

template <int D> struct tile_shape {
    static constexpr int pitch = D + 8;
    static constexpr int elements = tile_rows * pitch;
};

// Begins to copy rows first ... first + 63 of `rows` that are less than `end`; `rows(i)` is where row i starts.
template <class T, int D, bool quantized, class Rows>
DEV void load_tile(T *tile, const Rows &rows, int first, int end, int dimension) {
    constexpr int chunks = D / 8;
    for (int i = threadIdx.x; i < tile_rows * chunks; i += blockDim.x) {
        int row = i / chunks, chunk = i % chunks;
        bool valid = first + row < end && chunk * 8 < dimension;
        T *to = tile + row * tile_shape<D>::pitch + chunk * 8;
        const unsigned char *from = rows(first + row < end ? first + row : end - 1);
        if constexpr (quantized) {
            float scale = *(const float *)(from + dimension);
            words4 packed = {{0, 0, 0, 0}};
            if (valid) {
                const unsigned *codes = (const unsigned *)from + chunk * 2; // heads start at multiples of 4 bytes
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    int pair = (int)(codes[j / 2] >> (j % 2 * 16));
                    packed.w[j] = dev::pack2<T>((signed char)pair * scale, (signed char)(pair >> 8) * scale);
                }
            }
            dev::store16(to, packed);
        } else {
            dev::copy_async16(to, from + (valid ? chunk * 16 : 0), valid);
        }
    }
    dev::copy_async_commit();
}

// 16 rows of queries as operands a: rows(i) is where query i starts; rows past the end repeat the last.
template <class T, int D> struct query_fragments {
    unsigned a[D / 16][4];

    template <class Rows> DEV_METHOD void load(const Rows &rows, int first, int end, int dimension) {
        int lane = threadIdx.x & 31, g = lane / 4, t = lane % 4;
        const T *low = rows(first + g < end ? first + g : end - 1);
        const T *high = rows(first + g + 8 < end ? first + g + 8 : end - 1);
#pragma unroll
        for (int s = 0; s < D / 16; ++s) {
            int left = s * 16 + 2 * t, right = left + 8; // the dimension is a multiple of 8
            a[s][0] = left < dimension ? *(const unsigned *)(low + left) : 0;
            a[s][1] = left < dimension ? *(const unsigned *)(high + left) : 0;
            a[s][2] = right < dimension ? *(const unsigned *)(low + right) : 0;
            a[s][3] = right < dimension ? *(const unsigned *)(high + right) : 0;
        }
    }
};

// Scores of 16 queries with 16 · pairs keys that start at row `key` of a tile: s[j] are those of keys 8j ... 8j + 7.
template <class T, int D, int pairs>
DEV void multiply_keys(const query_fragments<T, D> &q, const T *tile, int key, float (&s)[2 * pairs][4]) {
    int lane = threadIdx.x & 31;
    const T *row = tile + (key + lane / 16 * 8 + lane % 8) * tile_shape<D>::pitch + lane / 8 % 2 * 8;
#pragma unroll
    for (int j = 0; j < 2 * pairs; ++j) s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
    for (int step = 0; step < D / 16; ++step) {
#pragma unroll
        for (int j = 0; j < pairs; ++j) {
            unsigned b[4];
            dev::load_matrix_x4(b, row + j * 16 * tile_shape<D>::pitch + step * 16);
            dev::mma<T>(s[2 * j], q.a[step], b[0], b[1]);
            dev::mma<T>(s[2 * j + 1], q.a[step], b[2], b[3]);
        }
    }
}

// Largest score, sum of weights and weighted values of 16 queries, two of which (g and g + 8) a lane has a part of.
template <class T, int D> struct running_softmax {
    float largest[2], sum[2], o[D / 8][4];

    DEV_METHOD void clear() {
        largest[0] = largest[1] = dev::from_bits(0xff800000u);
        sum[0] = sum[1] = 0;
#pragma unroll
        for (int j = 0; j < D / 8; ++j) o[j][0] = o[j][1] = o[j][2] = o[j][3] = 0;
    }

    // Turns scores, in units of log 2, into weights under the new maximum; a masked score is minus infinity.
    template <int n> DEV_METHOD void weigh(float (&s)[n][4]) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float top = largest[half];
#pragma unroll
            for (int j = 0; j < n; ++j) top = fmaxf(top, fmaxf(s[j][2 * half], s[j][2 * half + 1]));
            top = fmaxf(top, dev::shuffle_xor(top, 1));
            top = fmaxf(top, dev::shuffle_xor(top, 2));
            float origin = top == dev::from_bits(0xff800000u) ? 0.0f : top; // nothing visible yet
            float factor = dev::exp2(largest[half] - origin);
            largest[half] = top;
            float added = 0;
#pragma unroll
            for (int j = 0; j < n; ++j) {
                s[j][2 * half] = dev::exp2(s[j][2 * half] - origin);
                s[j][2 * half + 1] = dev::exp2(s[j][2 * half + 1] - origin);
                added += s[j][2 * half] + s[j][2 * half + 1];
            }
            sum[half] = sum[half] * factor + added; // of this lane's keys
#pragma unroll
            for (int j = 0; j < D / 8; ++j) {
                o[j][2 * half] *= factor;
                o[j][2 * half + 1] *= factor;
            }
        }
    }

    // Adds weights · values, of 16 · pairs values that start at row `key` of a tile.
    template <int pairs> DEV_METHOD void add_values(const float (&p)[2 * pairs][4], const T *tile, int key) {
        int lane = threadIdx.x & 31;
        const T *row = tile + (key + lane / 8 % 2 * 8 + lane % 8) * tile_shape<D>::pitch + lane / 16 * 8;
#pragma unroll
        for (int i = 0; i < pairs; ++i) {
            const unsigned a[4] = {
                dev::pack2<T>(p[2 * i][0], p[2 * i][1]), dev::pack2<T>(p[2 * i][2], p[2 * i][3]),
                dev::pack2<T>(p[2 * i + 1][0], p[2 * i + 1][1]), dev::pack2<T>(p[2 * i + 1][2], p[2 * i + 1][3])};
#pragma unroll
            for (int j = 0; j < D / 16; ++j) {
                unsigned b[4];
                dev::load_matrix_x4_transposed(b, row + i * 16 * tile_shape<D>::pitch + j * 16);
                dev::mma<T>(o[2 * j], a, b[0], b[1]);
                dev::mma<T>(o[2 * j + 1], a, b[2], b[3]);
            }
        }
    }

    // The sum over all keys, which four lanes share.
    DEV_METHOD float total(int half) {
        float x = sum[half] + dev::shuffle_xor(sum[half], 1);
        return x + dev::shuffle_xor(x, 2);
    }
};

// Attention of 64 queries, 16 per warp, over keys 0 ... visible(last query) - 1: query i sees those below visible(i).
//
// Copies of a tile's values overlap its scores, and those of the next keys its softmax.
template <class T, int D, bool quantized, class Queries, class Keys, class Values, class Visible, class Results>
DEV void flash_attention(
    const Queries &queries, const Keys &keys, const Values &values, const Visible &visible, const Results &results,
    int first_query, int end_query, int dimension, T *key_tile, T *value_tile
) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane / 4, t = lane % 4;
    int query = first_query + warp * 16;
    int last_of_block = first_query + 63 < end_query ? first_query + 63 : end_query - 1;
    int end_key = visible(last_of_block);
    query_fragments<T, D> q;
    q.load(queries, query, end_query, dimension);
    running_softmax<T, D> softmax;
    softmax.clear();
    int limit[2] = {
        visible(query + g < end_query ? query + g : end_query - 1),
        visible(query + g + 8 < end_query ? query + g + 8 : end_query - 1)};
    float unit = log2_e / dev::sqrt((float)dimension), none = dev::from_bits(0xff800000u);

    load_tile<T, D, quantized>(key_tile, keys, 0, end_key, dimension);
    for (int first = 0; first < end_key; first += tile_rows) {
        load_tile<T, D, quantized>(value_tile, values, first, end_key, dimension);
        dev::copy_async_wait<1>();
        dev::barrier();
        float s[tile_rows / 8][4];
        multiply_keys<T, D, tile_rows / 16>(q, key_tile, 0, s);
        dev::barrier();
        if (first + tile_rows < end_key) {
            load_tile<T, D, quantized>(key_tile, keys, first + tile_rows, end_key, dimension);
        } else {
            dev::copy_async_commit(); // an empty group, so that the wait below counts the same
        }
#pragma unroll
        for (int j = 0; j < tile_rows / 8; ++j) {
            int key = first + 8 * j + 2 * t;
#pragma unroll
            for (int i = 0; i < 4; ++i) s[j][i] = key + i % 2 < limit[i / 2] ? s[j][i] * unit : none;
        }
        softmax.weigh(s);
        dev::copy_async_wait<1>();
        dev::barrier();
        softmax.template add_values<tile_rows / 16>(s, value_tile, 0);
        dev::barrier();
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float factor = 1.0f / softmax.total(half);
        int row = query + g + 8 * half;
        if (row >= end_query) continue;
        T *y = results(row);
#pragma unroll
        for (int j = 0; j < D / 8; ++j) {
            if (8 * j >= dimension) continue;
            *(unsigned *)(y + 8 * j + 2 * t) =
                dev::pack2<T>(softmax.o[j][2 * half] * factor, softmax.o[j][2 * half + 1] * factor);
        }
    }
}
