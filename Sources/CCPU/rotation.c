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

ptrdiff_t cc_cache_row_bytes(int stored, ptrdiff_t dimension) {
    return stored == CC_I8 ? dimension + 4 : dimension * cc_element_bytes(stored);
}

static void store_head(const rotation *r, const float *head, char *to, int stored) {
    const cc_kernels *kernels = r->engine->kernels;
    if (stored != CC_I8) {
        kernels->narrow(to, stored, head, r->cache.dimension);
        return;
    }
    float scale = kernels->quantize((int8_t *)to, head, r->cache.dimension);
    memcpy(to + r->cache.dimension, &scale, sizeof scale);
}

static void rotate_head(const rotation *r, const char *from, char *to, int stored, const float *cosines,
                        const float *sines) {
    float head[cc_block_words];
    r->engine->kernels->widen(head, from, r->cache.type, r->cache.dimension);
    for (ptrdiff_t i = 0; i < r->pairs; i++) {
        float a = head[2 * i], b = head[2 * i + 1];
        head[2 * i] = a * cosines[i] - b * sines[i];
        head[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
    store_head(r, head, to, stored);
}

static void append_values(const rotation *r, const char *from, char *to) {
    const cc_cache *c = &r->cache;
    if (c->stored != CC_I8) {
        memcpy(to, from, (size_t)(c->groups * c->dimension * cc_element_bytes(c->type)));
        return;
    }
    for (ptrdiff_t group = 0; group < c->groups; group++) {
        float head[cc_block_words];
        r->engine->kernels->widen(head, from + group * c->dimension * cc_element_bytes(c->type), c->type, c->dimension);
        store_head(r, head, to + group * cc_cache_row_bytes(CC_I8, c->dimension), CC_I8);
    }
}

static void rotate_task(void *context, ptrdiff_t row, int thread) {
    (void)thread;
    const rotation *r = context;
    const cc_cache *c = &r->cache;
    ptrdiff_t bytes = c->dimension * cc_element_bytes(c->type);
    const char *from = r->qkv + row * (c->heads + 2 * c->groups) * bytes;
    const float *cosines = r->cosines + r->positions[row] * r->pairs, *sines = r->sines + r->positions[row] * r->pairs;
    for (ptrdiff_t head = 0; head < c->heads; head++, from += bytes)
        rotate_head(r, from, r->q + (row * c->heads + head) * bytes, c->type, cosines, sines);
    ptrdiff_t stored = cc_cache_row_bytes(c->stored, c->dimension), slot = r->slots[row] * c->groups * stored;
    for (ptrdiff_t group = 0; group < c->groups; group++, from += bytes)
        rotate_head(r, from, (char *)c->keys + slot + group * stored, c->stored, cosines, sines);
    append_values(r, from, (char *)c->values + slot);
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
