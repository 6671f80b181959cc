// Checks the kernels of CCPU against double-precision loops, at odd sizes, on every instruction set that this
// processor has. Prints the worst error of each operation; exits with 1 when one is over its tolerance.
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../Sources/CCPU/shares.h"
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
// because attention may round its probabilities too. `more` is what an operation may round besides.
static void compare(const char *name, int isa, int type, const double *want, const void *got, ptrdiff_t count,
                    double more) {
    double tolerance = (type == CC_F32 ? 2e-5 : 8e-3) + more, worst = 0;
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
    compare("linear", isa, type, want, y, rows * outputs, 0);
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
    compare(centered ? "layer norm" : "rms norm", isa, type, want, y, rows * width, 0);
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
    compare("attention", isa, type, want, y, rows * heads * d, 0);
    free(qkv), free(y), free(want);
}

// MARK: Packed weights

static double e4m3(uint8_t code) {
    int exponent = code >> 3 & 15, fraction = code & 7;
    double value = exponent ? ldexp(1 + fraction / 8.0, exponent - 7) : ldexp(fraction, -9);
    return code & 0x80 ? -value : value;
}

static double meaning(int format, uint8_t code) {
    return format == CC_PACKED_FP8 ? e4m3(code) : format == CC_PACKED_INT8 ? (int8_t)code : code - 8;
}

// Rows of codes as `cc_pack` takes them, and what they mean.
// Codes and scales of a matrix, and the weights that they mean; scales of `scale_type`, in room for floats.
static void make_codes(cc_packed matrix, uint8_t *codes, float *scales, double *weights) {
    int format = matrix.format;
    ptrdiff_t inputs = matrix.inputs, outputs = matrix.outputs, group = matrix.group;
    ptrdiff_t groups = group ? (inputs + group - 1) / group : 1;
    ptrdiff_t row_bytes = format == CC_PACKED_INT4 ? (inputs + 1) / 2 : inputs;
    for (ptrdiff_t i = 0; i < outputs * groups; i++) {
        scales[i] = (1 + next_random() / 2) / (format == CC_PACKED_INT4 ? 8 : format == CC_PACKED_INT8 ? 128 : 448);
        if (matrix.scale_type == CC_BF16) // the upper half alone
            memset(&scales[i], 0, 2);
    }
    for (ptrdiff_t o = 0; o < outputs; o++)
        for (ptrdiff_t i = 0; i < inputs; i++) {
            double scale = scales[o * groups + (group ? i / group : 0)], code;
            uint8_t byte = (uint8_t)(int)(128 + 127 * next_random());
            if (format == CC_PACKED_INT4) {
                uint8_t *to = codes + o * row_bytes + i / 2;
                *to = i % 2 ? (uint8_t)((*to & 15) | (byte & 0xf0)) : byte & 15;
                code = meaning(format, i % 2 ? *to >> 4 : *to & 15);
            } else {
                if (format == CC_PACKED_FP8 && (byte & 0x7f) == 0x7f)
                    byte = 0x38;
                codes[o * row_bytes + i] = byte;
                code = meaning(format, byte);
            }
            weights[o * inputs + i] = code * scale;
        }
    if (matrix.scale_type == CC_BF16)
        for (ptrdiff_t i = 0; i < outputs * groups; i++)
            memcpy((uint16_t *)scales + i, (uint16_t *)scales + 2 * i + 1, 2);
}

static const char *const format_names[] = {"f32", "f16", "bf16", "fp8", "int8", "int4"};

// A row's results are the same bits whatever rows are multiplied with it.
static void check_rows_alone(cc_engine *e, int isa, int type, ptrdiff_t rows, const void *x, cc_packed matrix,
                             const float *together) {
    float *alone = calloc((size_t)matrix.outputs, sizeof *alone);
    ptrdiff_t different = 0, element = type == CC_F32 ? 4 : 2;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const char *row = (const char *)x + r * matrix.inputs * element;
        cc_linear_packed(e, row, type, 1, matrix, NULL, 0, CC_STORE, alone, CC_F32);
        different += memcmp(alone, together + r * matrix.outputs, (size_t)matrix.outputs * sizeof *alone) != 0;
    }
    if (different)
        printf("%-10s set %d %s rows=%td: %td rows differ when alone  FAILED\n", format_names[matrix.format], isa,
               type == CC_F32 ? "f32 " : "bf16", rows, different);
    failures += different != 0;
    free(alone);
}

// Every code at every place of a word, to the last bits: in rows that hold one 1, results are the weights themselves.
static void check_codes(cc_engine *e, int isa, int type, int format) {
    enum { outputs = 256, inputs = 8 };
    cc_packed matrix = {.format = format, .outputs = outputs, .inputs = inputs, .group = format == CC_PACKED_INT4 ? 64 : 0};
    ptrdiff_t bytes = cc_packed_bytes(matrix), wrong = 0;
    matrix.panels = aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64));
    uint8_t code[outputs][inputs], rows[outputs * inputs];
    float scales[outputs], y[inputs][outputs];
    for (int o = 0; o < outputs; o++) {
        scales[o] = 1;
        for (int i = 0; i < inputs; i++) {
            uint8_t byte = (uint8_t)(o + 37 * i);
            code[o][i] = format == CC_PACKED_INT4 ? byte & 15 : format == CC_PACKED_FP8 && byte % 128 == 127 ? 0 : byte;
            uint8_t *to = rows + (o * inputs + i) / (format == CC_PACKED_INT4 ? 2 : 1);
            *to = format == CC_PACKED_INT4 && i % 2 ? (uint8_t)(*to | code[o][i] << 4) : code[o][i];
        }
    }
    cc_pack(e, matrix, 0, outputs, rows, 0, scales);
    char x[inputs * inputs * 4] = {};
    for (int i = 0; i < inputs; i++) // the upper half of a float32 1 is that of bfloat16
        memcpy(x + i * (inputs + 1) * (type == CC_F32 ? 4 : 2) + (type == CC_F32 ? 2 : 0), &(uint16_t){0x3f80}, 2);
    ptrdiff_t together[] = {1, 2, inputs}; // one and two rows may have loops of their own
    for (int t = 0; t < 3; t++) {
        for (ptrdiff_t r = 0; r < inputs; r += together[t])
            cc_linear_packed(e, x + r * inputs * (type == CC_F32 ? 4 : 2), type, together[t], matrix, NULL, 0, CC_STORE,
                             y[r], CC_F32);
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < inputs; i++) {
                double want = meaning(format, code[o][i]);
                wrong += !(fabs(y[i][o] - want) <= 1e-6 * fabs(want));
            }
    }
    if (wrong)
        printf("%-10s set %d %s: %td codes are not what they mean  FAILED\n", format_names[format], isa,
               type == CC_F32 ? "f32 " : "bf16", wrong);
    failures += wrong != 0;
    free(matrix.panels);
}

static void check_packed(cc_engine *e, int isa, int type, int format, ptrdiff_t group, int scale_type, ptrdiff_t rows,
                         ptrdiff_t inputs, ptrdiff_t outputs) {
    cc_packed matrix = {.format = format, .outputs = outputs, .inputs = inputs, .group = group, .scale_type = scale_type};
    ptrdiff_t bytes = cc_packed_bytes(matrix), groups = group ? (inputs + group - 1) / group : 1;
    matrix.panels = aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64));
    double *weights = calloc((size_t)(outputs * inputs), sizeof *weights), *want = calloc((size_t)(rows * outputs), 8);
    void *x = make(type, rows * inputs), *y = make(type, rows * outputs);
    if (format >= CC_PACKED_FP8) {
        uint8_t *codes = calloc((size_t)(outputs * inputs), 1);
        float *scales = calloc((size_t)(outputs * groups), sizeof *scales);
        make_codes(matrix, codes, scales, weights);
        cc_pack(e, matrix, 0, outputs, codes, 0, scales);
        free(codes), free(scales);
    } else {
        void *w = make(CC_BF16, outputs * inputs); // magnitudes that a half holds too, but for the smallest
        for (ptrdiff_t i = 0; i < outputs * inputs; i++)
            weights[i] = get(w, CC_BF16, i);
        cc_pack(e, matrix, 0, outputs, w, CC_BF16, NULL);
        free(w);
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t o = 0; o < outputs; o++)
            for (ptrdiff_t i = 0; i < inputs; i++)
                want[r * outputs + o] += get(x, type, r * inputs + i) * weights[o * inputs + i];
    cc_linear_packed(e, x, type, rows, matrix, NULL, 0, CC_STORE, y, type);
    // Tolerances are those of 517 terms; errors grow with the root. Rows that meet int8 and int4 as bytes are rounded to
    // 127 steps of a magnitude of about 1: five standard deviations.
    double growth = sqrt((double)inputs / 517), longer = 2e-5 * (growth - 1);
    int rounds = type == CC_BF16 && format >= CC_PACKED_INT8 && isa != CC_ISA_PORTABLE;
    compare(format_names[format], isa, type, want, y, rows * outputs, rounds ? 0.15 * growth : longer);
    // Products of bfloat16 are exact in float32, and sums are rounded at each step at most once, though some instructions
    // round to odd, which may lose a whole unit in the last place: still the tolerance of float32.
    float *sums = calloc((size_t)(rows * outputs), sizeof *sums);
    cc_linear_packed(e, x, type, rows, matrix, NULL, 0, CC_STORE, sums, CC_F32);
    if (!rounds)
        compare(format_names[format], isa, CC_F32, want, sums, rows * outputs, longer);
    check_rows_alone(e, isa, type, rows, x, matrix, sums);
    free(matrix.panels), free(weights), free(want), free(x), free(y), free(sums);
}

// Every group, and type of its scales.
static void check_packed_format(cc_engine *e, int isa, int type, int format, ptrdiff_t rows) {
    for (ptrdiff_t group = format == CC_PACKED_INT4 ? 64 : 0; group <= (format >= CC_PACKED_INT8 ? 128 : 0); group += 64)
        for (int scale_type = CC_F32; scale_type <= (group ? CC_BF16 : CC_F32); scale_type += CC_BF16) {
            check_packed(e, isa, type, format, group, scale_type, rows, 517, 75);
            if (rows == 17) // and more than one block of the depth
                check_packed(e, isa, type, format, group, scale_type, rows, 2100, 75);
            for (ptrdiff_t height = 2; rows == 1 && height <= 14; height++) // of tiles
                check_packed(e, isa, type, format, group, scale_type, height, 197, 43);
        }
}

// MARK: Pages

// One sequence of `context` tokens, the last `rows` of them new; `stored` is how its keys and values are kept.
static void check_pages(cc_engine *e, int isa, int type, int stored, ptrdiff_t context, ptrdiff_t rows, ptrdiff_t heads,
                        ptrdiff_t groups, ptrdiff_t d) {
    enum { page_size = 16 };
    ptrdiff_t pages = (context + page_size - 1) / page_size, row_bytes = cc_cache_row_bytes(stored, d);
    ptrdiff_t slots = pages * page_size, shared = heads / groups;
    char *kept[2] = {calloc((size_t)(slots * groups), (size_t)row_bytes), calloc((size_t)(slots * groups), (size_t)row_bytes)};
    double *exact[2] = {calloc((size_t)(context * groups * d), 8), calloc((size_t)(context * groups * d), 8)};
    int32_t *table = calloc((size_t)pages, sizeof *table), offsets[] = {0, (int32_t)rows}, contexts[] = {(int32_t)context};
    for (ptrdiff_t i = 0; i < pages; i++)
        table[i] = (int32_t)(pages - 1 - i);
    for (int which = 0; which < 2; which++)
        for (ptrdiff_t t = 0; t < context; t++)
            for (ptrdiff_t g = 0; g < groups; g++) {
                char *row = kept[which] + ((table[t / page_size] * page_size + t % page_size) * groups + g) * row_bytes;
                float scale = 1.0f / 127;
                for (ptrdiff_t i = 0; i < d; i++) {
                    float value = next_random();
                    uint32_t bits;
                    memcpy(&bits, &value, 4);
                    if (stored == CC_F32)
                        ((float *)row)[i] = value;
                    else if (stored == CC_BF16)
                        ((uint16_t *)row)[i] = (uint16_t)(bits >> 16);
                    else
                        ((int8_t *)row)[i] = (int8_t)(value * 127);
                    exact[which][(t * groups + g) * d + i] =
                        stored == CC_I8 ? (double)((int8_t *)row)[i] * scale : get(row, stored, i);
                }
                if (stored == CC_I8)
                    memcpy(row + d, &scale, 4);
            }
    void *q = make(type, rows * heads * d), *y = make(type, rows * heads * d);
    double *want = calloc((size_t)(rows * heads * d), 8);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t h = 0; h < heads; h++) {
            double total = 0, *out = want + (r * heads + h) * d;
            for (ptrdiff_t t = 0; t <= context - rows + r; t++) {
                const double *key = exact[0] + (t * groups + h / shared) * d, *value = exact[1] + (t * groups + h / shared) * d;
                double dot = 0;
                for (ptrdiff_t i = 0; i < d; i++)
                    dot += get(q, type, (r * heads + h) * d + i) * key[i];
                double weight = exp(dot / sqrt((double)d));
                total += weight;
                for (ptrdiff_t i = 0; i < d; i++)
                    out[i] += weight * value[i];
            }
            for (ptrdiff_t i = 0; i < d; i++)
                out[i] /= total;
        }
    cc_cache cache = {.keys = kept[0], .values = kept[1], .type = type, .stored = stored, .page_size = page_size,
                      .heads = heads, .groups = groups, .dimension = d};
    cc_paged_attention(e, q, cache, 1, offsets, contexts, table, pages, y);
    compare(stored == CC_I8 ? "pages int8" : "pages", isa, type, want, y, rows * heads * d, 0);
    for (int which = 0; which < 2; which++)
        free(kept[which]), free(exact[which]);
    free(table), free(q), free(y), free(want);
}

enum { share_threads = 4, share_pieces = 5000 };

typedef struct sharing {
    cc_share *shares;
    ptrdiff_t most;
    int thread;
    pthread_barrier_t *start;
    unsigned char *taken; // of each piece, by one thread
} sharing;

static void *take_pieces(void *argument) {
    sharing *s = argument;
    cc_pieces pieces;
    pthread_barrier_wait(s->start);
    while (cc_take_pieces(s->shares, share_threads, s->thread, s->most, &pieces))
        for (ptrdiff_t piece = pieces.first; piece < pieces.end; piece++)
            s->taken[piece]++;
    return NULL;
}

// However the threads meet, each piece is taken once.
static void check_shares(ptrdiff_t pieces, ptrdiff_t most) {
    static unsigned char taken[share_threads][share_pieces];
    cc_share shares[share_threads];
    pthread_t threads[share_threads];
    sharing of[share_threads];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, share_threads);
    memset(taken, 0, sizeof taken);
    cc_deal_shares(shares, share_threads, pieces);
    for (int i = 0; i < share_threads; i++) {
        of[i] = (sharing){shares, most, i, &start, taken[i]};
        if (pthread_create(&threads[i], NULL, take_pieces, &of[i]) != 0)
            exit(2);
    }
    for (int i = 0; i < share_threads; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    int wrong = 0;
    for (ptrdiff_t piece = 0; piece < share_pieces; piece++) {
        int times = 0;
        for (int i = 0; i < share_threads; i++)
            times += taken[i][piece];
        wrong += times != (piece < pieces);
    }
    failures += wrong > 0;
    printf("shares     n=%-6td at most %-5td %d wrong%s\n", pieces, most, wrong, wrong ? "  FAILED" : "");
}

int main(void) {
    static const ptrdiff_t pieces[] = {0, 1, 3, 4, 7, 129, share_pieces};
    for (int i = 0; i < 7; i++)
        for (int round = 0; round < 20; round++)
            check_shares(pieces[i], round % 2 ? 1 : 64);
    for (int isa = CC_ISA_PORTABLE; isa <= CC_ISA_NEON_BF16; isa++) {
        cc_engine *e = cc_isa_supported(isa) ? cc_engine_create(2, isa) : NULL;
        if (!e && isa == CC_ISA_PORTABLE)
            return 2;
        for (int type = CC_F32; e && type <= CC_BF16; type += CC_BF16) {
            for (int format = CC_PACKED_FP8; format <= CC_PACKED_INT4; format++)
                check_codes(e, isa, type, format);
            static const ptrdiff_t rows[] = {1, 3, 17, 61, 65};
            for (int i = 0; i < 5; i++) {
                check_linear(e, isa, type, rows[i], 67, 131);
                check_norm(e, isa, type, rows[i], 131, 0);
                check_norm(e, isa, type, rows[i], 131, 1);
                check_attention(e, isa, type, rows[i], 3, 20 + 2 * i);
                for (int format = CC_PACKED_F32; format <= CC_PACKED_INT4; format++)
                    check_packed_format(e, isa, type, format, rows[i]);
                check_pages(e, isa, type, type, 300 + rows[i], rows[i], 6, 2, 24);
                check_pages(e, isa, type, CC_I8, 300 + rows[i], rows[i], 6, 2, 24);
                check_pages(e, isa, type, type, 300 + rows[i], rows[i], 4, 1, 19);
            }
        }
        if (e)
            cc_engine_destroy(e);
    }
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
