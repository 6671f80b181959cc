// The driver of bidirectional attention: as many heads as fit are packed at once, then all their queries attend.
//
//     shared    [head][block of keys]        keys and values, packed
#include "attend.h"

typedef struct bidirectional {
    const cc_engine *engine;
    const char *qkv;
    ptrdiff_t length, heads;
    cc_head head;           // of no head yet: what all have in common
    ptrdiff_t key_blocks;
    ptrdiff_t first, count; // heads, over all sequences, of the present wave
    ptrdiff_t queries, query_blocks;
    int packed;
    char *y;
} bidirectional;

static ptrdiff_t head_bytes(const bidirectional *b) {
    return b->head.dimension * cc_element_bytes(b->head.type);
}

static ptrdiff_t packed_bytes(const bidirectional *b) { return b->key_blocks * cc_block_bytes(&b->head); }

// The queries of a head's first row; its keys and values follow.
static const char *first_row(const bidirectional *b, ptrdiff_t index) {
    ptrdiff_t hidden = b->heads * head_bytes(b);
    return b->qkv + index / b->heads * b->length * 3 * hidden + index % b->heads * head_bytes(b);
}

static cc_head head_at(const bidirectional *b, ptrdiff_t index) {
    ptrdiff_t hidden = b->heads * head_bytes(b);
    cc_head head = b->head;
    head.keys = first_row(b, index) + hidden;
    head.values = head.keys + hidden;
    head.stride = 3 * hidden;
    return head;
}

static void pack_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    const bidirectional *b = context;
    ptrdiff_t index = task / b->key_blocks, first = task % b->key_blocks * cc_key_block;
    cc_head head = head_at(b, b->first + index);
    cc_pack_block(&head, first, cc_min(cc_key_block, b->length - first),
                  b->engine->shared + task * cc_block_bytes(&head));
}

static void attend_task(void *context, ptrdiff_t task, int thread) {
    const bidirectional *b = context;
    // Tasks of one head follow each other, so threads that work together read the same keys.
    ptrdiff_t index = task / b->query_blocks, first = task % b->query_blocks * b->queries;
    ptrdiff_t hidden = b->heads * head_bytes(b), sequence = (b->first + index) / b->heads;
    cc_head head = head_at(b, b->first + index);
    if (b->packed)
        head.packed = b->engine->shared + index * packed_bytes(b);
    const char *row = first_row(b, b->first + index) + first * 3 * hidden;
    char *y = b->y + (sequence * b->length + first) * hidden + (b->first + index) % b->heads * head_bytes(b);
    cc_queries queries;
    queries.count = cc_min(b->queries, b->length - first);
    for (ptrdiff_t i = 0; i < queries.count; i++) {
        queries.rows[i] = row + i * 3 * hidden;
        queries.output[i] = y + i * hidden;
        queries.limit[i] = (int32_t)b->length;
    }
    cc_attend(&head, &queries, cc_scratch(b->engine, thread));
}

// Fewer queries per task when there would not be a task for every thread.
static void choose_queries(bidirectional *b, ptrdiff_t heads) {
    ptrdiff_t panels = cc_query_panels;
    while (panels > cc_block_panels &&
           cc_ceil_div(b->length, panels * cc_panel_width) * heads < 4 * b->engine->threads)
        panels /= 2;
    b->queries = panels * cc_panel_width;
    b->query_blocks = cc_ceil_div(b->length, b->queries);
}

void cc_attention(cc_engine *engine, const void *qkv, int type, ptrdiff_t rows, ptrdiff_t length, ptrdiff_t heads,
                  ptrdiff_t dimension, void *y) {
    if (rows <= 0)
        return;
    bidirectional b = {.engine = engine,
                       .qkv = qkv,
                       .length = length,
                       .heads = heads,
                       .head = cc_make_head(engine->kernels, type, type, dimension),
                       .key_blocks = cc_ceil_div(length, cc_key_block),
                       .y = y};
    ptrdiff_t all = rows / length * heads, fit = cc_shared_bytes / packed_bytes(&b);
    b.packed = fit > 0;
    ptrdiff_t wave = b.packed ? cc_ceil_div(all, cc_ceil_div(all, fit)) : all;
    choose_queries(&b, wave);
    for (; b.first < all; b.first += wave) {
        b.count = cc_min(wave, all - b.first);
        if (b.packed)
            cc_pool_run(engine->pool, b.count * b.key_blocks, pack_task, &b);
        cc_pool_run(engine->pool, b.count * b.query_blocks, attend_task, &b);
    }
}
