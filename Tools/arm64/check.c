// Checks the kernels of CCPU against double-precision loops, at odd sizes, on every instruction set that this
// processor has. Prints the worst error of each operation; exits with 1 when one is over its tolerance.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "CCPU.h"

static uint64_t state = 7;
static int failures;

static float next_random(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(state >> 32) / 2147483648.0f;
}

static float get(const void *p, int type, ptrdiff_t i) {
    if (type == CC_F32)
        return ((const float *)p)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// `count` random numbers in [-1, 1), exact in `type`.
static void *make(int type, ptrdiff_t count) {
    void *p = calloc((size_t)count, 4);
    if (!p)
        exit(2);
    for (ptrdiff_t i = 0; i < count; i++) {
        float value = next_random();
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (type == CC_F32)
            ((float *)p)[i] = value;
        else
            ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
    }
    return p;
}

// float32: the rounding of sums of a few hundred terms. bfloat16: half a unit of its 8-bit significand, doubled
// because attention may round its probabilities too.
static void compare(const char *name, int isa, int type, const double *want, const void *got, ptrdiff_t count) {
    double tolerance = type == CC_F32 ? 2e-5 : 8e-3, worst = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        double error = fabs(get(got, type, i) - want[i]) / (1 + fabs(want[i]));
        if (!(error <= worst))
            worst = error;
    }
    int bad = !(worst <= tolerance);
    failures += bad;
    printf("%-10s set %d %s n=%-6td worst %.2e%s\n", name, isa, type == CC_F32 ? "f32 " : "bf16", count, worst,
           bad ? "  FAILED" : "");
}

static void check_linear(cc_engine *e, int isa, int type, ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs) {
    void *x = make(type, rows * inputs), *w = make(type, outputs * inputs), *b = make(type, outputs);
    void *y = make(type, rows * outputs);
    double *want = calloc((size_t)(rows * outputs), sizeof *want);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t o = 0; o < outputs; o++) {
            double sum = get(b, type, o);
            for (ptrdiff_t i = 0; i < inputs; i++)
                sum += (double)get(x, type, r * inputs + i) * get(w, type, o * inputs + i);
            want[r * outputs + o] = sum;
        }
    cc_linear(e, x, type, rows, inputs, w, type, outputs, b, type, CC_STORE, y, type);
    compare("linear", isa, type, want, y, rows * outputs);
    free(x), free(w), free(b), free(y), free(want);
}

static void check_norm(cc_engine *e, int isa, int type, ptrdiff_t rows, ptrdiff_t width, int centered) {
    void *x = make(type, rows * width), *w = make(type, width), *b = make(type, width), *y = make(type, rows * width);
    double *want = calloc((size_t)(rows * width), sizeof *want);
    for (ptrdiff_t r = 0; r < rows; r++) {
        double mean = 0, square = 0;
        for (ptrdiff_t i = 0; centered && i < width; i++)
            mean += get(x, type, r * width + i) / (double)width;
        for (ptrdiff_t i = 0; i < width; i++)
            square += pow(get(x, type, r * width + i) - mean, 2) / (double)width;
        for (ptrdiff_t i = 0; i < width; i++)
            want[r * width + i] = (get(x, type, r * width + i) - mean) / sqrt(square + 1e-5) * get(w, type, i) +
                                  (centered ? get(b, type, i) : 0);
    }
    if (centered)
        cc_layer_norm(e, x, type, rows, width, w, type, b, type, 1e-5f, CC_STORE, y);
    else
        cc_rms_norm(e, x, type, rows, width, w, type, 1e-5f, y);
    compare(centered ? "layer norm" : "rms norm", isa, type, want, y, rows * width);
    free(x), free(w), free(b), free(y), free(want);
}

static void check_attention(cc_engine *e, int isa, int type, ptrdiff_t length, ptrdiff_t heads, ptrdiff_t d) {
    ptrdiff_t rows = 2 * length, wide = 3 * heads * d;
    void *qkv = make(type, rows * wide), *y = make(type, rows * heads * d);
    double *want = calloc((size_t)(rows * heads * d), sizeof *want);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t h = 0; h < heads; h++) {
            double total = 0, *out = want + (r * heads + h) * d;
            for (ptrdiff_t s = r / length * length; s < r / length * length + length; s++) {
                double dot = 0;
                for (ptrdiff_t i = 0; i < d; i++)
                    dot += (double)get(qkv, type, r * wide + h * d + i) *
                           get(qkv, type, s * wide + (heads + h) * d + i);
                double weight = exp(dot / sqrt((double)d));
                total += weight;
                for (ptrdiff_t i = 0; i < d; i++)
                    out[i] += weight * get(qkv, type, s * wide + (2 * heads + h) * d + i);
            }
            for (ptrdiff_t i = 0; i < d; i++)
                out[i] /= total;
        }
    cc_attention(e, qkv, type, rows, length, heads, d, y);
    compare("attention", isa, type, want, y, rows * heads * d);
    free(qkv), free(y), free(want);
}

int main(void) {
    for (int isa = CC_ISA_PORTABLE; isa <= CC_ISA_AVX512_BF16; isa++) {
        cc_engine *e = cc_isa_supported(isa) ? cc_engine_create(2, isa) : NULL;
        if (!e && isa == CC_ISA_PORTABLE)
            return 2;
        for (int type = CC_F32; e && type <= CC_BF16; type += CC_BF16) {
            static const ptrdiff_t rows[] = {1, 3, 17, 65};
            for (int i = 0; i < 4; i++) {
                check_linear(e, isa, type, rows[i], 67, 131);
                check_norm(e, isa, type, rows[i], 131, 0);
                check_norm(e, isa, type, rows[i], 131, 1);
                check_attention(e, isa, type, rows[i], 3, 20 + 2 * i);
            }
        }
        if (e)
            cc_engine_destroy(e);
    }
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
