// The driver of causal attention over pages. The query heads of a group see the same keys and are taken together.
//
// A sequence of many new rows is cut into blocks of queries, one task each. A sequence of few, as in decoding, is cut
// along its keys: tasks compute parts, and a second region merges them.
//
//     shared    [sequence][group][block of keys][panel]        parts of the sequences that are cut along the keys
#include "attend.h"

enum { products_worth_sharing = 1 << 16 };

typedef struct paged {
    const cc_engine *engine;
    const char *q;
    cc_cache cache;
    cc_head head; // of no group yet
    ptrdiff_t sequences;
    const int32_t *offsets, *contexts, *pages;
    ptrdiff_t pages_per_sequence;
    ptrdiff_t queries;         // of a task, where queries are cut
    ptrdiff_t blocks_per_task; // where keys are cut; 0: no sequence is
    char *y;
} paged;

// Queries of one group in a sequence: its new rows times the heads of a group.
static ptrdiff_t group_queries(const paged *p, ptrdiff_t sequence) {
    return (p->offsets[sequence + 1] - p->offsets[sequence]) * (p->cache.heads / p->cache.groups);
}

static ptrdiff_t key_blocks(const paged *p, ptrdiff_t sequence) {
    return cc_ceil_div(p->contexts[sequence], cc_key_block);
}

static int is_few(const paged *p, ptrdiff_t sequence) {
    ptrdiff_t queries = group_queries(p, sequence);
    return queries > 0 && queries <= cc_block_panels * cc_panel_width;
}

static int cuts_keys(const paged *p, ptrdiff_t sequence) { return p->blocks_per_task > 0 && is_few(p, sequence); }

static ptrdiff_t sequence_tasks(const paged *p, ptrdiff_t sequence) {
    if (cuts_keys(p, sequence))
        return cc_ceil_div(key_blocks(p, sequence), p->blocks_per_task) * p->cache.groups;
    return cc_ceil_div(group_queries(p, sequence), p->queries) * p->cache.groups;
}

// float32 words of the parts of one group in a sequence.
static ptrdiff_t group_parts(const paged *p, ptrdiff_t sequence) {
    ptrdiff_t panels = cc_ceil_div(group_queries(p, sequence), cc_panel_width);
    return key_blocks(p, sequence) * panels * cc_part_words(&p->head);
}

static float *parts_of(const paged *p, ptrdiff_t sequence, ptrdiff_t group) {
    float *parts = (float *)p->engine->shared;
    for (ptrdiff_t s = 0; s < sequence; s++)
        if (cuts_keys(p, s))
            parts += group_parts(p, s) * p->cache.groups;
    return parts + group * group_parts(p, sequence);
}

static cc_head head_of(const paged *p, ptrdiff_t sequence, ptrdiff_t group) {
    ptrdiff_t bytes = cc_cache_row_bytes(p->cache.stored, p->cache.dimension);
    cc_head head = p->head;
    head.keys = (const char *)p->cache.keys + group * bytes;
    head.values = (const char *)p->cache.values + group * bytes;
    head.stride = p->cache.groups * bytes;
    head.pages = p->pages + sequence * p->pages_per_sequence;
    head.page_size = p->cache.page_size;
    return head;
}

static void find_queries(const paged *p, ptrdiff_t sequence, ptrdiff_t group, ptrdiff_t first, ptrdiff_t count,
                         cc_queries *queries) {
    ptrdiff_t shared = p->cache.heads / p->cache.groups, row = p->offsets[sequence];
    ptrdiff_t before = p->contexts[sequence] - (p->offsets[sequence + 1] - row); // keys before the new rows
    queries->count = count;
    for (ptrdiff_t i = 0; i < count; i++) {
        ptrdiff_t token = (first + i) / shared, head = group * shared + (first + i) % shared;
        ptrdiff_t at = ((row + token) * p->cache.heads + head) * p->cache.dimension * cc_element_bytes(p->cache.type);
        queries->rows[i] = p->q + at;
        queries->output[i] = p->y + at;
        queries->limit[i] = (int32_t)(before + token + 1);
    }
}

static void attend_task(void *context, ptrdiff_t task, int thread) {
    const paged *p = context;
    ptrdiff_t sequence = 0;
    for (; task >= sequence_tasks(p, sequence); sequence++)
        task -= sequence_tasks(p, sequence);
    ptrdiff_t group = task % p->cache.groups, index = task / p->cache.groups, all = group_queries(p, sequence);
    cc_head head = head_of(p, sequence, group);
    char *scratch = cc_scratch(p->engine, thread);
    cc_queries queries;
    if (cuts_keys(p, sequence)) {
        ptrdiff_t first = index * p->blocks_per_task;
        find_queries(p, sequence, group, 0, all, &queries);
        cc_attend_parts(&head, &queries, first, cc_min(first + p->blocks_per_task, key_blocks(p, sequence)), scratch,
                        parts_of(p, sequence, group));
    } else {
        ptrdiff_t first = index * p->queries;
        find_queries(p, sequence, group, first, cc_min(p->queries, all - first), &queries);
        cc_attend(&head, &queries, scratch);
    }
}

// One task: 16 columns of one group.
static void merge_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    const paged *p = context;
    ptrdiff_t slices = cc_ceil_div(p->cache.dimension, cc_panel_width), column = task % slices * cc_panel_width;
    ptrdiff_t group = task / slices % p->cache.groups, sequence = task / slices / p->cache.groups;
    if (!cuts_keys(p, sequence))
        return;
    cc_head head = head_of(p, sequence, group);
    cc_queries queries;
    find_queries(p, sequence, group, 0, group_queries(p, sequence), &queries);
    cc_merge_parts(&head, &queries, parts_of(p, sequence, group), column);
}

// Cuts are chosen for the threads to be busy; results do not depend on them.
static void choose_cuts(paged *p) {
    ptrdiff_t longest = 0, blocks = 0, words = 0, wanted = 8 * p->engine->threads;
    for (ptrdiff_t s = 0; s < p->sequences; s++) {
        longest = cc_max(longest, group_queries(p, s));
        if (is_few(p, s)) {
            blocks += key_blocks(p, s) * p->cache.groups;
            words += group_parts(p, s) * p->cache.groups;
        }
    }
    p->queries = cc_task_queries;
    while (p->queries > cc_block_panels * cc_panel_width &&
           cc_ceil_div(longest, p->queries) * p->sequences * p->cache.groups < wanted)
        p->queries /= 2;
    if (p->engine->threads > 1 && words * 4 <= cc_shared_bytes)
        p->blocks_per_task = cc_max(1, blocks / wanted);
}

// Products of queries and keys, at most.
static ptrdiff_t products(const paged *p) {
    ptrdiff_t sum = 0;
    for (ptrdiff_t s = 0; s < p->sequences; s++)
        sum += p->contexts[s] * group_queries(p, s) * p->cache.groups * p->cache.dimension;
    return sum;
}

// So few that waking another thread would take longer.
static void attend_alone(paged *p) {
    p->queries = cc_task_queries;
    for (ptrdiff_t s = 0, first = 0; s < p->sequences; first += sequence_tasks(p, s++))
        for (ptrdiff_t task = 0; task < sequence_tasks(p, s); task++)
            attend_task(p, first + task, 0);
}

void cc_paged_attention(cc_engine *engine, const void *q, cc_cache cache, ptrdiff_t sequences, const int32_t *offsets,
                        const int32_t *contexts, const int32_t *pages, ptrdiff_t pages_per_sequence, void *y) {
    paged p = {.engine = engine,
               .q = q,
               .cache = cache,
               .head = cc_make_head(engine->kernels, cache.type, cache.stored, cache.dimension),
               .sequences = sequences,
               .offsets = offsets,
               .contexts = contexts,
               .pages = pages,
               .pages_per_sequence = pages_per_sequence,
               .y = y};
    if (products(&p) < products_worth_sharing) {
        attend_alone(&p);
        return;
    }
    choose_cuts(&p);
    ptrdiff_t tasks = 0, cut = 0;
    for (ptrdiff_t s = 0; s < sequences; s++) {
        tasks += sequence_tasks(&p, s);
        cut += cuts_keys(&p, s);
    }
    cc_pool_run(engine->pool, tasks, attend_task, &p);
    if (cut > 0)
        cc_pool_run(engine->pool, sequences * cache.groups * cc_ceil_div(cache.dimension, cc_panel_width), merge_task,
                    &p);
}
