// Everything that is not plain C++: each PTX instruction behind one function.
//
// The host compiler gets the same names from dev_host.h, which emulates them lane by lane; Tests/KernelChecks compares
// both on random data. Kernels include this file and use nothing else of the machine but threadIdx, blockIdx,
// blockDim and gridDim.
#pragma once
#include "types.cuh"

#ifndef __CUDACC__
#include "dev_host.h"
#else

// `count` elements of shared memory that live as long as the block; at the top of a kernel, once per name.
#define SHARED(type, name, count) __shared__ __align__(16) type name[count]

// Every function, and every member function, of the device.
#define DEV __device__ __forceinline__
#define DEV_METHOD __device__ __forceinline__

namespace dev {

// MARK: Conversions

DEV float from_bits(unsigned bits) { return __uint_as_float(bits); }
DEV unsigned to_bits(float x) { return __float_as_uint(x); }

DEV float to_float(float x) { return x; }
DEV float to_float(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

DEV float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

// One e4m3fn code: its seven bits moved to where float32 has them, times 2^120 for the difference of the biases.
DEV float to_float(fp8 x) {
    unsigned magnitude = x.bits & 0x7fu;
    float y = __uint_as_float((magnitude << 20) | ((unsigned)(x.bits & 0x80u) << 24)) * 0x1p120f;
    return magnitude == 0x7fu ? __uint_as_float(0x7fffffffu) : y;
}

// Two e4m3fn codes, the low byte first, as packed float16: exact, every code fits.
DEV unsigned fp8x2_to_f16x2(unsigned short codes) {
    unsigned y;
#if __CUDA_ARCH__ >= 890
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(y) : "h"(codes));
#else
    unsigned low = codes & 0xffu, high = codes >> 8;
    unsigned spread = ((low & 0x7fu) << 7) | ((low & 0x80u) << 8) | ((high & 0x7fu) << 23) | ((high & 0x80u) << 24);
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(y) : "r"(spread), "r"(0x5c005c00u)); // 2^8
    if ((low & 0x7fu) == 0x7fu) y |= 0x7fffu;
    if ((high & 0x7fu) == 0x7fu) y |= 0x7fff0000u;
#endif
    return y;
}

// Both halves of packed float16.
DEV void unpack_f16x2(unsigned packed, float &low, float &high) {
    low = to_float(f16{(unsigned short)packed});
    high = to_float(f16{(unsigned short)(packed >> 16)});
}

template <class T> DEV T from_float(float x);
template <> DEV float from_float<float>(float x) { return x; }

template <> DEV f16 from_float<f16>(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

template <> DEV bf16 from_float<bf16>(float x) {
    bf16 y;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    unsigned bits = __float_as_uint(x);
    y.bits = x != x ? 0x7fff : (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#endif
    return y;
}

#if __CUDA_ARCH__ >= 890
#define HAS_FP8 1
// The nearest e4m3fn codes, ties to even; numbers beyond 448 become 448, NaN stays NaN.
DEV fp8x2 to_fp8x2(float low, float high) {
    fp8x2 y;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(y.bits) : "f"(high), "f"(low));
    return y;
}
#endif

// Two elements in a word, `low` in the low half.
template <class T> DEV unsigned pack2(float low, float high) {
    return from_float<T>(low).bits | ((unsigned)from_float<T>(high).bits << 16);
}

// Nearest whole number, ties to even.
DEV int round_to_int(float x) { return __float2int_rn(x); }

// MARK: Functions

DEV float exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

DEV float exp(float x) { return expf(x); }
DEV float erf(float x) { return erff(x); }
DEV float sqrt(float x) { return sqrtf(x); }

// MARK: Memory

// 16 bytes that are read once: not kept in L1.
DEV words4 load_stream(const void *address) {
    words4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
                 : "l"(address));
    return v;
}

// 16 bytes at once, from and to any memory, aligned; the compiler splits copies of a struct of four words.
DEV words4 load16(const void *address) {
    uint4 v = *(const uint4 *)address;
    return words4{{v.x, v.y, v.z, v.w}};
}

DEV void store16(void *address, const words4 &v) { *(uint4 *)address = make_uint4(v.w[0], v.w[1], v.w[2], v.w[3]); }

// Dynamic shared memory of the launch.
DEV void *dynamic_shared() {
    extern __shared__ __align__(16) unsigned char shared_bytes[];
    return shared_bytes;
}

DEV unsigned shared_address(const void *pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }

// Copies 16 bytes to shared memory, or zeros where not `valid`; there after the wait for its group and a barrier.
DEV void copy_async16(void *shared, const void *global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(shared_address(shared)), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    store16(shared, valid ? load16(global) : words4{{0, 0, 0, 0}});
#endif
}

// Ends a group of copies.
DEV void copy_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `pending` groups of this thread's copies are under way.
template <int pending> DEV void copy_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// MARK: Matrix fragments

// Four 8 × 8 matrices of 16-bit elements from shared memory: lane l gives the address of row l % 8 of matrix l / 8,
// and receives of each matrix elements (l / 4, 2 · (l % 4)) and the next.
DEV void load_matrix_x4(unsigned (&r)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// The same, of the transposed matrices: elements (2 · (l % 4), l / 4) and that of the next row.
DEV void load_matrix_x4_transposed(unsigned (&r)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// d += a · b with a [16, 16] row-major and b [16, 8], sums in float32.
//
// With g = lane / 4 and t = lane % 4: a holds (g, 2t..), (g + 8, 2t..), (g, 2t + 8..), (g + 8, 2t + 8..); b holds
// (2t.., g), (2t + 8.., g); d holds (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
template <class T> DEV void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

template <> DEV void mma<f16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

#if __CUDA_ARCH__ >= 800
#define HAS_BF16_MMA 1
template <> DEV void mma<bf16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// The same with pairs of e4m3fn codes as elements, so 32 codes deep. Other cards have this instruction too, but compute
// it as float16. Its sums may keep fewer bits than float32: add them up in float32 every few steps.
#if __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200
#define HAS_FP8_MMA 1
template <> DEV void mma<fp8x2>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// MARK: Lanes and threads

// What lane `lane ^ mask` passes; every lane of the warp must call.
DEV float shuffle_xor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEV int shuffle_xor(int x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }

// What lane `lane` passes.
DEV float shuffle(float x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
DEV int shuffle(int x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }

// Sums over the warp, each for every lane, in one order.
template <int n> DEV void warp_sum(float (&x)[n]) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
#pragma unroll
        for (int mask = 16; mask > 0; mask >>= 1) x[i] += shuffle_xor(x[i], mask);
    }
}

// The largest of the warp, for every lane.
DEV float warp_max(float x) {
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) x = fmaxf(x, shuffle_xor(x, mask));
    return x;
}

// Every thread of the block arrives before any goes on.
DEV void barrier() { __syncthreads(); }

// Every lane of the warp arrives before any goes on; orders their shared memory.
DEV void warp_barrier() { __syncwarp(); }

// Sets a flag that any thread of the grid may set.
DEV void set_flag(int *flag) { atomicOr(flag, 1); }

// MARK: Order of grids

// Waits for the results of the kernel before, when this one was launched to overlap its end; else does nothing.
DEV void wait_for_previous_grid() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the next kernel start.
DEV void launch_next_grid() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

} // namespace dev
#endif
