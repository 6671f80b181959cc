// Each function of dev.cuh by itself, for Tests/KernelChecks: is what the host's emulation does what a card does?
//
// Grid [1] unless said, block [32], no dynamic shared memory unless said. Not used by inference.
#include "block.cuh"

// Grid [ceil(count / 32)]: x [count] to its float16 and bfloat16 bits and nearest whole number.
extern "C" __global__ void __launch_bounds__(32)
    conform_narrow(const float *x, int count, f16 *halves, bf16 *brains, int *whole) {
    int i = blockIdx.x * 32 + threadIdx.x;
    if (i >= count) return;
    halves[i] = dev::from_float<f16>(x[i]);
    brains[i] = dev::from_float<bf16>(x[i]);
    whole[i] = dev::round_to_int(x[i]);
}

#ifdef HAS_FP8
// Grid [ceil(count / 64)]: x [count], count even, to fp8 codes.
extern "C" __global__ void __launch_bounds__(32) conform_narrow_fp8(const float *x, int count, fp8x2 *codes) {
    int i = blockIdx.x * 32 + threadIdx.x;
    if (i < count / 2) codes[i] = dev::to_fp8x2(x[2 * i], x[2 * i + 1]);
}
#endif

// Grid [2048]: all 65536 patterns as float16, bfloat16 and, low byte first, as two fp8 codes.
extern "C" __global__ void __launch_bounds__(32)
    conform_widen(float *halves, float *brains, float *low_codes, unsigned *code_pairs) {
    int i = blockIdx.x * 32 + threadIdx.x;
    auto bits = (unsigned short)i;
    halves[i] = dev::to_float(f16{bits});
    brains[i] = dev::to_float(bf16{bits});
    low_codes[i] = dev::to_float(fp8{(unsigned char)bits});
    code_pairs[i] = dev::fp8x2_to_f16x2(bits);
}

// Grid [ceil(count / 32)]: exp2, exp, erf and sqrt of x [count], one after the other in y [4, count].
extern "C" __global__ void __launch_bounds__(32) conform_functions(const float *x, int count, float *y) {
    int i = blockIdx.x * 32 + threadIdx.x;
    if (i >= count) return;
    y[i] = dev::exp2(x[i]);
    y[count + i] = dev::exp(x[i]);
    y[2 * count + i] = dev::erf(x[i]);
    y[3 * count + i] = dev::sqrt(fabsf(x[i]));
}

// 32 pieces of 16 bytes through load_stream, and through three groups of asynchronous copies that leave out every piece
// whose number divides by 5. Dynamic shared memory: 512 bytes.
extern "C" __global__ void __launch_bounds__(32)
    conform_memory(const words4 *x, words4 *streamed, words4 *copied) {
    SHARED(words4, tile, 96);
    auto *dynamic = (words4 *)dev::dynamic_shared();
    int lane = threadIdx.x;
    streamed[lane] = dev::load_stream(x + lane);
    for (int group = 0; group < 3; ++group) {
        dev::copy_async16(tile + group * 32 + lane, x + (lane + group) % 32, lane % 5 != 0);
        dev::copy_async_commit();
    }
    dev::copy_async_wait<2>();
    dev::barrier();
    copied[lane] = tile[31 - lane]; // the first group, of another lane
    dev::copy_async_wait<0>();
    dev::barrier();
    dynamic[lane] = tile[32 + (lane + 1) % 32];
    dev::warp_barrier();
    copied[32 + lane] = dynamic[(lane + 7) % 32];
    copied[64 + lane] = tile[64 + lane];
}

// x [32, 8] 16-bit elements: the registers of each lane by both matrix loads, [32, 4].
extern "C" __global__ void __launch_bounds__(32)
    conform_load_matrix(const words4 *x, unsigned *straight, unsigned *transposed) {
    SHARED(words4, rows, 32);
    int lane = threadIdx.x;
    rows[lane] = x[lane];
    dev::barrier();
    unsigned r[4], s[4];
    dev::load_matrix_x4(r, rows + lane);
    dev::load_matrix_x4_transposed(s, rows + lane);
    for (int i = 0; i < 4; ++i) {
        straight[lane * 4 + i] = r[i];
        transposed[lane * 4 + i] = s[i];
    }
}

// d [16, 8] += a [16, 16] · b [16, 8], all row-major in memory.
template <class T> DEV void conform_mma(const T *a, const T *b, float *d) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    auto left = [=](int row, int k) { return a[row * 16 + k].bits | (unsigned)a[row * 16 + k + 1].bits << 16; };
    auto right = [=](int k) { return b[k * 8 + g].bits | (unsigned)b[(k + 1) * 8 + g].bits << 16; };
    unsigned fragment[4] = {left(g, 2 * t), left(g + 8, 2 * t), left(g, 2 * t + 8), left(g + 8, 2 * t + 8)};
    float *places[4] = {
        d + g * 8 + 2 * t, d + g * 8 + 2 * t + 1, d + (g + 8) * 8 + 2 * t, d + (g + 8) * 8 + 2 * t + 1};
    float sums[4];
    for (int i = 0; i < 4; ++i) sums[i] = *places[i];
    dev::mma<T>(sums, fragment, right(2 * t), right(2 * t + 8));
    for (int i = 0; i < 4; ++i) *places[i] = sums[i];
}

extern "C" __global__ void __launch_bounds__(32) conform_mma_f16(const f16 *a, const f16 *b, float *d) {
    conform_mma(a, b, d);
}

#ifdef HAS_BF16_MMA
extern "C" __global__ void __launch_bounds__(32) conform_mma_bf16(const bf16 *a, const bf16 *b, float *d) {
    conform_mma(a, b, d);
}
#endif

#ifdef HAS_FP8_MMA
// a [16, 16] and b [16, 8] of pairs: b holds codes 2k and 2k + 1 of a column together.
extern "C" __global__ void __launch_bounds__(32) conform_mma_fp8(const fp8x2 *a, const fp8x2 *b, float *d) {
    conform_mma(a, b, d);
}
#endif

// x [32]: what each lane gets from lane ^ 5 and from lane 11, as float32 and as whole numbers; sum and largest of all. A
// flag that three lanes set.
extern "C" __global__ void __launch_bounds__(32) conform_lanes(const float *x, float *y, int *whole, int *flag) {
    int lane = threadIdx.x;
    dev::wait_for_previous_grid();
    y[lane] = dev::shuffle_xor(x[lane], 5);
    y[32 + lane] = dev::shuffle(x[lane], 11);
    y[64 + lane] = warp_sum(x[lane]);
    y[96 + lane] = dev::warp_max(x[lane]);
    whole[lane] = dev::shuffle_xor(lane * 3, 5);
    whole[32 + lane] = dev::shuffle(lane * 3, 11);
    if (lane % 10 == 9) dev::set_flag(flag);
    dev::launch_next_grid();
}
