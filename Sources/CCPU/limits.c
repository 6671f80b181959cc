// What this machine can do at best: multiply-adds in registers, and reading memory.
#define _GNU_SOURCE
#include "engine.h"

#include <stdatomic.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct spin {
    double (*run)(long turns);
    long turns;
    double flop;
    atomic_int arrived;
    int threads;
} spin;

static void spin_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    spin *s = context;
    // Threads start together; with as many tasks as threads, each takes one.
    atomic_fetch_add(&s->arrived, 1);
    for (long i = 0; atomic_load(&s->arrived) < s->threads && i < 100000000; i++) {
    }
    double flop = s->run(s->turns);
    if (task == 0)
        s->flop = flop;
}

double cc_measure_flops(cc_engine *engine, int type, double seconds) {
    spin s = {.run = type == CC_BF16 ? engine->kernels->spin_bf16 : engine->kernels->spin_f32,
              .turns = 1000,
              .threads = engine->threads};
    if (!s.run)
        return 0;
    // The length is found on the calling thread alone: a region that waits for a late worker looks long enough
    // with hardly any work in it.
    for (;;) {
        double start = now();
        s.run(s.turns);
        double spent = now() - start;
        if (spent >= seconds)
            break;
        s.turns *= spent > seconds / 16 ? 2 : 8;
    }
    double start = now();
    cc_pool_run(engine->pool, engine->threads, spin_task, &s);
    return s.flop * engine->threads / (now() - start);
}

enum { read_piece = 1 << 18 };

typedef struct reading {
    const char *bytes;
    ptrdiff_t count, ahead;
    _Atomic uint64_t mixed;
} reading;

static void read_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    reading *r = context;
    typedef uint64_t v8 __attribute__((vector_size(64)));
    const char *p = r->bytes + task * read_piece, *end = p + cc_min(read_piece, r->count - task * read_piece);
    v8 a = {}, b = {}, c = {}, d = {};
    for (; p + 256 <= end; p += 256) {
        if (r->ahead)
            for (int line = 0; line < 256; line += 64)
                __builtin_prefetch(p + r->ahead + line, 0, 3);
        const v8 *v = (const v8 *)p;
        a ^= v[0];
        b ^= v[1];
        c ^= v[2];
        d ^= v[3];
    }
    a ^= b ^ c ^ d;
    atomic_fetch_xor(&r->mixed, a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7]);
}

double cc_measure_read(cc_engine *engine, const void *bytes, ptrdiff_t count) {
    reading r = {.bytes = bytes, .count = count, .ahead = engine->ahead};
    double start = now();
    cc_pool_run(engine->pool, cc_ceil_div(count, read_piece), read_task, &r);
    return (double)count / (now() - start);
}
