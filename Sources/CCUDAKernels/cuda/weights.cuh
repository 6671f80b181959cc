// Weight matrices [outputs, inputs] as they are stored: 16 bytes of a row at a time, decoded to float32.
//
// Rows are `row_bytes` apart. float32, float16 and bfloat16 stand for themselves; fp8 (e4m3fn), int8 and int4 codes are
// multiplied by a scale per row and group of inputs (docs/quantization.md). Where rows start at multiples of 16 bytes and
// inputs fill whole vectors, 16 bytes are loaded at once; else element by element. So a loader does well to pad rows of
// quantized matrices to 16 bytes, and must not otherwise repack them.
#pragma once
#include "block.cuh"

// The parameters of a weight matrix, as every kernel takes them.
#define WEIGHT_PARAMETERS                                                                                             \
    const void *codes, int row_bytes, const void *scales, int scale_type, int scale_stride, int group
#define WEIGHT_ARGUMENTS {(const unsigned char *)codes, row_bytes, scales, scale_type, scale_stride, group}

struct matrix {
    const unsigned char *codes;
    int row_bytes;
    const void *scales;  // of `scale_type`; unused for floating-point weights
    int scale_type;
    int scale_stride;    // scales from row to row; 0 where all rows share one
    int group;           // inputs that share a scale

    DEV_METHOD const unsigned char *row(int n) const { return codes + (long long)n * row_bytes; }
    DEV_METHOD float scale(int n, int k) const {
        return parameter(scales, scale_type, (long long)n * scale_stride + k / group);
    }
};

// How 16 bytes hold elements: `count` of them in steps of `step`, decoded one step at a time.
template <class W> struct format;

template <> struct format<float> {
    static constexpr int count = 4, step = 4;
    static constexpr bool scaled = false;
    static DEV_METHOD float element(const unsigned char *row, int k) { return ((const float *)row)[k]; }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) w[i] = dev::from_bits(v.w[i]);
    }
};

template <> struct format<bf16> {
    static constexpr int count = 8, step = 8;
    static constexpr bool scaled = false;
    static DEV_METHOD float element(const unsigned char *row, int k) { return dev::to_float(((const bf16 *)row)[k]); }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            w[2 * i] = dev::from_bits(v.w[i] << 16);
            w[2 * i + 1] = dev::from_bits(v.w[i] & 0xffff0000u);
        }
    }
};

template <> struct format<f16> {
    static constexpr int count = 8, step = 8;
    static constexpr bool scaled = false;
    static DEV_METHOD float element(const unsigned char *row, int k) { return dev::to_float(((const f16 *)row)[k]); }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) dev::unpack_f16x2(v.w[i], w[2 * i], w[2 * i + 1]);
    }
};

template <> struct format<fp8> {
    static constexpr int count = 16, step = 8;
    static constexpr bool scaled = true;
    static DEV_METHOD float element(const unsigned char *row, int k) { return dev::to_float(fp8{row[k]}); }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            unsigned word = v.w[at * 2 + i / 2];
            unsigned pair = dev::fp8x2_to_f16x2((unsigned short)(i % 2 ? word >> 16 : word));
            dev::unpack_f16x2(pair, w[2 * i], w[2 * i + 1]);
        }
    }
};

// A small integer at the bottom of 2^23's fraction is that many units: two operations instead of a conversion.
DEV float small_integer(unsigned bits, float bias) { return dev::from_bits(0x4b000000u | bits) - (8388608.0f + bias); }

template <> struct format<code8> {
    static constexpr int count = 16, step = 8;
    static constexpr bool scaled = true;
    static DEV_METHOD float element(const unsigned char *row, int k) { return (float)(signed char)row[k]; }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            unsigned word = v.w[at * 2 + i / 4] ^ 0x80808080u; // from -128 ... 127 to 0 ... 255
            w[i] = small_integer(word >> (8 * (i % 4)) & 0xffu, 128.0f);
        }
    }
};

template <> struct format<code4> {
    static constexpr int count = 32, step = 8;
    static constexpr bool scaled = true;
    static DEV_METHOD float element(const unsigned char *row, int k) { return (float)(row[k / 2] >> (k % 2 * 4) & 15) - 8.0f; }
    template <int at> static DEV_METHOD void decode(const words4 &v, float (&w)[step]) {
#pragma unroll
        for (int i = 0; i < 8; ++i) w[i] = small_integer(v.w[at] >> (4 * i) & 15u, 8.0f);
    }
};

// `step` activations at `x`, aligned to 16 bytes.
template <int step> DEV void load_activations(const float *x, float (&v)[step]) {
#pragma unroll
    for (int i = 0; i < step; i += 4) {
        words4 words = dev::load16(x + i);
#pragma unroll
        for (int j = 0; j < 4; ++j) v[i + j] = dev::from_bits(words.w[j]);
    }
}

DEV void load_activations(const f16 *x, float (&v)[8]) { format<f16>::decode<0>(dev::load16(x), v); }
DEV void load_activations(const bf16 *x, float (&v)[8]) { format<bf16>::decode<0>(dev::load16(x), v); }
