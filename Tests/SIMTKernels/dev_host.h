// The functions of dev.cuh for the host: the same names, lane by lane, on the block of simt.h.
#pragma once
#include "simt.h"
#include "types.cuh"
#include <cmath>

#define __global__
#define __launch_bounds__(...)
#define DEV [[maybe_unused]] static inline
#define DEV_METHOD inline
#define SHARED(type, name, count) type *name = (type *)simt::static_shared(sizeof(type) * (count))
#define HAS_BF16_MMA 1
#define HAS_FP8 1
#define HAS_FP8_MMA 1
#define threadIdx (simt::current_thread->index)
#define blockIdx (simt::current_block->index)
#define blockDim (simt::current_block->size)
#define gridDim (simt::current_block->grid)

namespace dev {

// MARK: Conversions

DEV float from_bits(unsigned bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

DEV unsigned to_bits(float x) {
    unsigned bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

DEV float to_float(float x) { return x; }
DEV float to_float(bf16 x) { return from_bits((unsigned)x.bits << 16); }

DEV float to_float(f16 x) {
    unsigned magnitude = x.bits & 0x7fffu, sign = (unsigned)(x.bits & 0x8000u) << 16;
    if (magnitude >= 0x7c00u) return from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
    return from_bits(sign | to_bits(from_bits(magnitude << 13) * 0x1p112f));
}

DEV float to_float(fp8 x) {
    unsigned magnitude = x.bits & 0x7fu;
    if (magnitude == 0x7fu) return from_bits(0x7fffffffu);
    unsigned exponent = magnitude >> 3, fraction = magnitude & 7u;
    float y = exponent == 0 ? std::ldexp((float)fraction, -9) : std::ldexp((float)(8 + fraction), (int)exponent - 10);
    return x.bits & 0x80u ? -y : y;
}

DEV unsigned short round_to_bf16(float x) {
    unsigned bits = to_bits(x);
    if (x != x) return 0x7fff;
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Nearest float16, ties to even: the sum with a power of two leaves the fraction's bits at the bottom.
DEV unsigned short round_to_f16(float x) {
    unsigned bits = to_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return 0x7fff;
    if (magnitude >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { // subnormal: a multiple of 2^-24
        return (unsigned short)(sign | (to_bits(from_bits(magnitude) + 0.5f) - 0x3f000000u));
    }
    magnitude += 0xfffu + ((magnitude >> 13) & 1u);
    return (unsigned short)(sign | ((magnitude - 0x38000000u) >> 13));
}

template <class T> T from_float(float x);
template <> inline float from_float<float>(float x) { return x; }
template <> inline bf16 from_float<bf16>(float x) { return {round_to_bf16(x)}; }
template <> inline f16 from_float<f16>(float x) { return {round_to_f16(x)}; }

DEV unsigned fp8x2_to_f16x2(unsigned short codes) {
    unsigned low = round_to_f16(to_float(fp8{(unsigned char)codes}));
    unsigned high = round_to_f16(to_float(fp8{(unsigned char)(codes >> 8)}));
    return low | high << 16;
}

// Nearest e4m3fn, ties to even: the units are 2^-9 below the normal range, an eighth of the power of two in it.
DEV unsigned char round_to_fp8(float x) {
    auto sign = (unsigned char)(to_bits(x) >> 24 & 0x80u);
    if (x != x) return sign | 0x7f;
    float magnitude = std::fmin(std::fabs(x), 448.0f);
    int exponent = magnitude < 0x1p-6f ? -6 : std::ilogb(magnitude);
    auto eighths = (unsigned)std::nearbyint(std::ldexp(magnitude, 3 - exponent)); // 16 carries into the exponent
    return (unsigned char)(sign | ((unsigned)(exponent + 6) * 8 + eighths));
}

DEV fp8x2 to_fp8x2(float low, float high) { return {(unsigned short)(round_to_fp8(low) | round_to_fp8(high) << 8)}; }

DEV void unpack_f16x2(unsigned packed, float &low, float &high) {
    low = to_float(f16{(unsigned short)packed});
    high = to_float(f16{(unsigned short)(packed >> 16)});
}

template <class T> unsigned pack2(float low, float high) {
    return from_float<T>(low).bits | ((unsigned)from_float<T>(high).bits << 16);
}

DEV int round_to_int(float x) { return (int)std::nearbyint(x); }

// MARK: Functions

DEV float exp2(float x) { return ::exp2f(x); }
DEV float exp(float x) { return ::expf(x); }
DEV float erf(float x) { return ::erff(x); }
DEV float sqrt(float x) { return ::sqrtf(x); }

// MARK: Memory

DEV words4 load16(const void *address) {
    if ((size_t)address % 16 != 0) simt::fail("a load of 16 bytes that are not aligned");
    words4 v;
    std::memcpy(&v, address, 16);
    return v;
}

DEV void store16(void *address, const words4 &v) {
    if ((size_t)address % 16 != 0) simt::fail("a store of 16 bytes that are not aligned");
    std::memcpy(address, &v, 16);
}

DEV words4 load_stream(const void *address) { return load16(address); }

DEV void *dynamic_shared() { return simt::current_block->shared; }

DEV void copy_async16(void *shared, const void *global, bool valid) {
    if ((size_t)shared % 16 != 0 || (size_t)global % 16 != 0) simt::fail("a copy of 16 bytes that are not aligned");
    simt::thread &t = *simt::current_thread;
    t.copies.push_back({shared, global, valid, t.copy_groups});
}

DEV void copy_async_commit() { ++simt::current_thread->copy_groups; }
template <int pending> void copy_async_wait() { simt::finish_copies(pending); }

// MARK: Matrix fragments

// A lane's row travels when the lane arrives, as the hardware reads all rows before any lane goes on.
DEV const unsigned char (*exchange_rows(const char *operation, const void *row))[simt::warp::slot_bytes] {
    if ((size_t)row % 16 != 0) simt::fail("a matrix row that is not aligned to 16 bytes");
    return simt::exchange(operation, row, 16);
}

DEV void load_matrix_x4(unsigned (&r)[4], const void *row) {
    auto *rows = exchange_rows("load_matrix_x4", row);
    unsigned lane = simt::current_thread->lane;
    for (unsigned i = 0; i < 4; ++i) std::memcpy(&r[i], rows[i * 8 + lane / 4] + lane % 4 * 4, 4);
}

DEV void load_matrix_x4_transposed(unsigned (&r)[4], const void *row) {
    auto *rows = exchange_rows("load_matrix_x4_transposed", row);
    unsigned lane = simt::current_thread->lane;
    for (unsigned i = 0; i < 4; ++i) {
        unsigned short low, high;
        std::memcpy(&low, rows[i * 8 + lane % 4 * 2] + lane / 4 * 2, 2);
        std::memcpy(&high, rows[i * 8 + lane % 4 * 2 + 1] + lane / 4 * 2, 2);
        r[i] = low | (unsigned)high << 16;
    }
}

// Element (row, k) of a, or (k, row) of b, in registers of the lane that holds it.
template <class T> T fragment_element(const unsigned *registers, unsigned first, unsigned k) {
    unsigned word = registers[first + (k >= 8 ? (first >= 4 ? 1 : 2) : 0)];
    return T{(unsigned short)(k & 1 ? word >> 16 : word)};
}

template <class T> float multiply_elements(T a, T b) { return to_float(a) * to_float(b); }
DEV float multiply_elements(fp8x2 a, fp8x2 b) {
    float low = to_float(fp8{(unsigned char)a.bits}) * to_float(fp8{(unsigned char)b.bits});
    return low + to_float(fp8{(unsigned char)(a.bits >> 8)}) * to_float(fp8{(unsigned char)(b.bits >> 8)});
}

template <class T> void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    const unsigned own[6] = {a[0], a[1], a[2], a[3], b0, b1};
    auto *all = simt::exchange("mma", own, sizeof own);
    unsigned g = simt::current_thread->lane / 4, t = simt::current_thread->lane % 4;
    float sums[4] = {0, 0, 0, 0};
    for (unsigned k = 0; k < 16; ++k) {
        unsigned from = k % 8 / 2;
        auto *rows = (const unsigned *)all[g * 4 + from];
        T low = fragment_element<T>(rows, 0, k), high = fragment_element<T>(rows, 1, k);
        T even = fragment_element<T>((const unsigned *)all[2 * t * 4 + from], 4, k);
        T odd = fragment_element<T>((const unsigned *)all[(2 * t + 1) * 4 + from], 4, k);
        sums[0] += multiply_elements(low, even);
        sums[1] += multiply_elements(low, odd);
        sums[2] += multiply_elements(high, even);
        sums[3] += multiply_elements(high, odd);
    }
    for (unsigned i = 0; i < 4; ++i) d[i] += sums[i];
}

// MARK: Lanes and threads

template <class V> V exchange_value(const char *operation, V x, unsigned from) {
    auto *all = simt::exchange(operation, &x, sizeof x);
    std::memcpy(&x, all[from & 31], sizeof x);
    return x;
}

DEV float shuffle_xor(float x, int mask) {
    return exchange_value("shuffle_xor", x, simt::current_thread->lane ^ (unsigned)mask);
}
DEV int shuffle_xor(int x, int mask) {
    return exchange_value("shuffle_xor", x, simt::current_thread->lane ^ (unsigned)mask);
}
DEV float shuffle(float x, int lane) { return exchange_value("shuffle", x, (unsigned)lane); }
DEV int shuffle(int x, int lane) { return exchange_value("shuffle", x, (unsigned)lane); }

// The sums of 32 slots of floats, in the order in which lanes that differ in one bit after the other would add them.
inline void sum_slots(unsigned char (*slots)[simt::warp::slot_bytes], unsigned byte_count) {
    for (unsigned half = 16; half > 0; half /= 2) {
        for (unsigned lane = 0; lane < half; ++lane) {
            float *x = (float *)slots[lane];
            const float *other = (const float *)slots[lane + half];
            for (unsigned i = 0; i < byte_count / sizeof(float); ++i) x[i] += other[i];
        }
    }
}

inline void largest_of_slots(unsigned char (*slots)[simt::warp::slot_bytes], unsigned) {
    float *largest = (float *)slots[0];
    for (unsigned lane = 1; lane < 32; ++lane) *largest = fmaxf(*largest, *(const float *)slots[lane]);
}

template <int n> DEV void warp_sum(float (&x)[n]) {
    static_assert(sizeof x <= simt::warp::slot_bytes);
    std::memcpy(x, simt::exchange("warp_sum", x, sizeof x, sum_slots)[0], sizeof x);
}

DEV float warp_max(float x) {
    std::memcpy(&x, simt::exchange("warp_max", &x, sizeof x, largest_of_slots)[0], sizeof x);
    return x;
}

DEV void barrier() { simt::barrier(); }
DEV void warp_barrier() { simt::exchange("warp_barrier", nullptr, 0); }
DEV void set_flag(int *flag) { *flag = 1; }

// MARK: Order of grids

DEV void wait_for_previous_grid() {}
DEV void launch_next_grid() {}

} // namespace dev
