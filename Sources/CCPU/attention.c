// The driver of attention: blocks of queries against blocks of keys, softmax on the way; no score matrix.
//
// One task holds up to 112 queries that share their keys (rows of one head, or the heads of one group over a few
// rows) and walks over the keys in blocks of 512. Scratch of one task, in the layouts of kernels.h:
//
//     queries   [112] rows of dimension                   scores    [112] rows of 512, then the probabilities
//     keys      panels of 16 keys, depth = dimension      values    panels of 16 columns, depth = keys
//     output    [112][dimension]  float32                 maximum, total [112]
//
// The blocks of keys start at key 0 whatever the query, and a block in which a row sees nothing leaves the row as
// it is; so a row's result depends on neither its neighbors nor the threads. (The scheme is FlashAttention's,
// Dao et al. 2022.)
#include "engine.h"

#include <math.h>
#include <string.h>

enum { query_block = 112, key_block = cc_block_words };

// Where the queries, keys and values of one task are.
typedef struct view {
    const char *query[query_block];
    char *output[query_block];
    ptrdiff_t limit[query_block]; // keys that a query sees, from key 0
    ptrdiff_t queries;
    const char *keys, *values;
    ptrdiff_t key_stride; // bytes from one key to the next
    const int32_t *pages; // null: keys lie one after the other
    ptrdiff_t page_size;
} view;

typedef struct space {
    char *queries;
    float *scores;
    char *keys;
    char *values;
    float *output;
    float maximum[query_block];
    float total[query_block];
} space;

static space carve(char *scratch, ptrdiff_t dimension) {
    ptrdiff_t padded = cc_ceil_div(dimension, cc_panel_width) * cc_panel_width;
    space s = {.queries = scratch};
    s.scores = (float *)(s.queries + query_block * cc_row_words * 4);
    s.keys = (char *)(s.scores + query_block * cc_row_words);
    s.values = s.keys + key_block * padded * 4;
    s.output = (float *)(s.values + key_block * padded * 4);
    return s;
}

static ptrdiff_t key_offset(const view *v, ptrdiff_t key) {
    if (!v->pages)
        return key * v->key_stride;
    return (v->pages[key / v->page_size] * v->page_size + key % v->page_size) * v->key_stride;
}

static void pack_keys(const cc_path *path, const view *v, char *panels, ptrdiff_t first, ptrdiff_t count, int type,
                      ptrdiff_t dimension) {
    ptrdiff_t panel_bytes = cc_ceil_div(dimension, path->per_word) * cc_panel_width * 4;
    for (ptrdiff_t i = 0; i < count; i += cc_panel_width, panels += panel_bytes) {
        const void *rows[cc_panel_width];
        for (ptrdiff_t j = 0; j < cc_panel_width; j++)
            rows[j] = i + j < count ? v->keys + key_offset(v, first + i + j) : NULL;
        path->pack_transposed(panels, rows, type, dimension);
    }
}

static void pack_values(const cc_path *path, const view *v, char *panels, ptrdiff_t first, ptrdiff_t count, int type,
                        ptrdiff_t dimension) {
    const void *rows[key_block];
    for (ptrdiff_t i = 0; i < count; i++)
        rows[i] = v->values + key_offset(v, first + i);
    path->pack_straight(panels, rows, count, type, dimension);
}

static void attend(const cc_kernels *kernels, const view *v, int type, ptrdiff_t dimension, char *scratch) {
    const cc_path *path = type == CC_BF16 && kernels->bf16.per_word == 2 ? &kernels->bf16 : &kernels->f32;
    space s = carve(scratch, dimension);
    ptrdiff_t width = cc_ceil_div(dimension, cc_panel_width) * cc_panel_width, keys = 0;
    float factor = 1.0f / sqrtf((float)dimension);
    for (ptrdiff_t i = 0; i < v->queries; i++) {
        path->fill_row(s.queries + i * cc_row_words * 4, v->query[i], type, dimension);
        s.maximum[i] = -INFINITY;
        s.total[i] = 0;
        keys = cc_max(keys, v->limit[i]);
    }
    memset(s.output, 0, (size_t)(v->queries * width) * 4);
    for (ptrdiff_t first = 0; first < keys; first += key_block) {
        ptrdiff_t count = cc_min(key_block, keys - first), words = cc_ceil_div(count, path->per_word);
        pack_keys(path, v, s.keys, first, count, type, dimension);
        path->multiply(s.queries, v->queries, s.keys, cc_ceil_div(count, cc_panel_width),
                       cc_ceil_div(dimension, path->per_word), s.scores, cc_row_words, 0);
        for (ptrdiff_t i = 0; i < v->queries; i++)
            path->softmax(s.scores + i * cc_row_words, cc_min(v->limit[i] - first, count), words * path->per_word,
                          factor, &s.maximum[i], &s.total[i], s.output + i * width, width);
        pack_values(path, v, s.values, first, count, type, dimension);
        path->multiply(s.scores, v->queries, s.values, width / cc_panel_width, words, s.output, width, 1);
    }
    for (ptrdiff_t i = 0; i < v->queries; i++) {
        kernels->scale(s.output + i * width, 1.0f / s.total[i], dimension);
        kernels->narrow(v->output[i], type, s.output + i * width, dimension);
    }
}

// Queries per task: fewer when there would not be a task for every thread.
static ptrdiff_t choose_block(const cc_engine *engine, ptrdiff_t longest, ptrdiff_t parallel) {
    ptrdiff_t block = query_block;
    while (block > query_block / 8 && cc_ceil_div(longest, block) * parallel < engine->threads)
        block /= 2;
    return block;
}

// MARK: Bidirectional

typedef struct bidirectional {
    const cc_engine *engine;
    const char *qkv;
    int type;
    ptrdiff_t length, heads, dimension, block, blocks;
    char *y;
} bidirectional;

static void bidirectional_task(void *context, ptrdiff_t task, int thread) {
    const bidirectional *b = context;
    // Tasks of one head follow each other, so threads that work together read the same keys.
    ptrdiff_t block = task % b->blocks, head = task / b->blocks % b->heads, sequence = task / b->blocks / b->heads;
    ptrdiff_t size = cc_element_bytes(b->type), hidden = b->heads * b->dimension * size;
    const char *base = b->qkv + sequence * b->length * 3 * hidden + head * b->dimension * size;
    view v = {.keys = base + hidden, .values = base + 2 * hidden, .key_stride = 3 * hidden};
    ptrdiff_t first = block * b->block;
    v.queries = cc_min(b->block, b->length - first);
    for (ptrdiff_t i = 0; i < v.queries; i++) {
        v.query[i] = base + (first + i) * 3 * hidden;
        v.output[i] = b->y + (sequence * b->length + first + i) * hidden + head * b->dimension * size;
        v.limit[i] = b->length;
    }
    attend(b->engine->kernels, &v, b->type, b->dimension, cc_scratch(b->engine, thread));
}

void cc_attention(cc_engine *engine, const void *qkv, int type, ptrdiff_t rows, ptrdiff_t length, ptrdiff_t heads,
                  ptrdiff_t dimension, void *y) {
    if (rows <= 0)
        return;
    bidirectional b = {.engine = engine,
                       .qkv = qkv,
                       .type = type,
                       .length = length,
                       .heads = heads,
                       .dimension = dimension,
                       .y = y};
    b.block = choose_block(engine, length, rows / length * heads);
    b.blocks = cc_ceil_div(length, b.block);
    cc_pool_run(engine->pool, rows / length * heads * b.blocks, bidirectional_task, &b);
}

// MARK: Paged

typedef struct paged {
    const cc_engine *engine;
    const char *q;
    cc_cache cache;
    ptrdiff_t sequences;
    const int32_t *offsets, *contexts, *pages;
    ptrdiff_t pages_per_sequence, block;
    char *y;
} paged;

// Queries of one group in a sequence: its new rows times the heads of a group.
static ptrdiff_t group_queries(const paged *p, ptrdiff_t sequence) {
    return (p->offsets[sequence + 1] - p->offsets[sequence]) * (p->cache.heads / p->cache.groups);
}

static ptrdiff_t sequence_tasks(const paged *p, ptrdiff_t sequence) {
    return cc_ceil_div(group_queries(p, sequence), p->block) * p->cache.groups;
}

static void paged_task(void *context, ptrdiff_t task, int thread) {
    const paged *p = context;
    ptrdiff_t sequence = 0;
    for (; task >= sequence_tasks(p, sequence); sequence++)
        task -= sequence_tasks(p, sequence);
    const cc_cache *c = &p->cache;
    ptrdiff_t group = task % c->groups, first = task / c->groups * p->block, shared = c->heads / c->groups;
    ptrdiff_t bytes = c->dimension * cc_element_bytes(c->type), row = p->offsets[sequence];
    ptrdiff_t hidden = p->contexts[sequence] - (p->offsets[sequence + 1] - row); // keys before the new rows
    view v = {.keys = (const char *)c->keys + group * bytes,
              .values = (const char *)c->values + group * bytes,
              .key_stride = c->groups * bytes,
              .pages = p->pages + sequence * p->pages_per_sequence,
              .page_size = c->page_size};
    v.queries = cc_min(p->block, group_queries(p, sequence) - first);
    for (ptrdiff_t i = 0; i < v.queries; i++) {
        ptrdiff_t token = (first + i) / shared, head = group * shared + (first + i) % shared;
        ptrdiff_t offset = ((row + token) * c->heads + head) * bytes;
        v.query[i] = p->q + offset;
        v.output[i] = p->y + offset;
        v.limit[i] = hidden + token + 1;
    }
    attend(p->engine->kernels, &v, c->type, c->dimension, cc_scratch(p->engine, thread));
}

void cc_paged_attention(cc_engine *engine, const void *q, cc_cache cache, ptrdiff_t sequences, const int32_t *offsets,
                        const int32_t *contexts, const int32_t *pages, ptrdiff_t pages_per_sequence, void *y) {
    paged p = {.engine = engine,
               .q = q,
               .cache = cache,
               .sequences = sequences,
               .offsets = offsets,
               .contexts = contexts,
               .pages = pages,
               .pages_per_sequence = pages_per_sequence,
               .y = y};
    ptrdiff_t longest = 0, tasks = 0;
    for (ptrdiff_t s = 0; s < sequences; s++)
        longest = cc_max(longest, group_queries(&p, s));
    p.block = choose_block(engine, longest, sequences * cache.groups);
    for (ptrdiff_t s = 0; s < sequences; s++)
        tasks += sequence_tasks(&p, s);
    cc_pool_run(engine->pool, tasks, paged_task, &p);
}

// MARK: Rotary embedding and append

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
