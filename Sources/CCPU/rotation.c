// The driver of the rotary embedding, which also appends keys and values to the cache.
#include "engine.h"

#include <string.h>

typedef struct rotation {
    const cc_engine *engine;
    const char *qkv;
    const float *cosines, *sines;
    ptrdiff_t pairs;
    const int32_t *positions, *slots;
    cc_cache cache;
    char *q;
} rotation;

static void rotate_head(const rotation *r, const char *from, char *to, const float *cosines, const float *sines) {
    const cc_kernels *kernels = r->engine->kernels;
    float head[cc_block_words];
    kernels->widen(head, from, r->cache.type, r->cache.dimension);
    for (ptrdiff_t i = 0; i < r->pairs; i++) {
        float a = head[2 * i], b = head[2 * i + 1];
        head[2 * i] = a * cosines[i] - b * sines[i];
        head[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
    kernels->narrow(to, r->cache.type, head, r->cache.dimension);
}

static void rotate_task(void *context, ptrdiff_t row, int thread) {
    (void)thread;
    const rotation *r = context;
    const cc_cache *c = &r->cache;
    ptrdiff_t bytes = c->dimension * cc_element_bytes(c->type);
    const char *from = r->qkv + row * (c->heads + 2 * c->groups) * bytes;
    const float *cosines = r->cosines + r->positions[row] * r->pairs, *sines = r->sines + r->positions[row] * r->pairs;
    for (ptrdiff_t head = 0; head < c->heads; head++, from += bytes)
        rotate_head(r, from, r->q + (row * c->heads + head) * bytes, cosines, sines);
    char *key = (char *)c->keys + r->slots[row] * c->groups * bytes;
    for (ptrdiff_t group = 0; group < c->groups; group++, from += bytes)
        rotate_head(r, from, key + group * bytes, cosines, sines);
    memcpy((char *)c->values + r->slots[row] * c->groups * bytes, from, (size_t)(c->groups * bytes));
}

void cc_rotate_and_append(cc_engine *engine, const void *qkv, ptrdiff_t rows, const float *cosines, const float *sines,
                          ptrdiff_t pairs, const int32_t *positions, const int32_t *slots, cc_cache cache, void *q) {
    rotation r = {.engine = engine,
                  .qkv = qkv,
                  .cosines = cosines,
                  .sines = sines,
                  .pairs = pairs,
                  .positions = positions,
                  .slots = slots,
                  .cache = cache,
                  .q = q};
    cc_pool_run(engine->pool, rows, rotate_task, &r);
}
