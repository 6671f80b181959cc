// Blocks of queries against blocks of keys; see attend.h. Scratch of one task:
//
//     queries   [24] panels, depth = dimension          scores    [3] panels of 256 keys, then the probabilities
//     keys      [16] panels, depth = dimension          values    panels of 16 columns, depth = keys
//     parts     [24] of all blocks so far, [3] of the present block
//     rows      [256] rows of dimension, widened; scales [2][256], where the cache is quantized
#include "attend.h"

#include <math.h>
#include <string.h>

typedef struct space {
    char *queries;
    float *scores;
    char *block;
    float *parts;
    float *block_parts;
    char *rows;
    cc_scales scales;
} space;

static ptrdiff_t depth_words(const cc_head *head) { return cc_ceil_div(head->dimension, head->path->per_word); }

static ptrdiff_t columns_of(const cc_head *head) {
    return cc_ceil_div(head->dimension, cc_panel_width) * cc_panel_width;
}

static ptrdiff_t key_bytes(const cc_head *head) { return cc_key_block * depth_words(head) * 4; }

ptrdiff_t cc_block_bytes(const cc_head *head) {
    return key_bytes(head) + columns_of(head) * cc_key_block / head->path->per_word * 4;
}

ptrdiff_t cc_part_words(const cc_head *head) { return (2 + columns_of(head)) * cc_panel_width; }

static space carve(const cc_head *head, char *scratch) {
    space s = {.queries = scratch};
    s.scores = (float *)(s.queries + cc_query_panels * depth_words(head) * cc_panel_width * 4);
    s.block = (char *)(s.scores + cc_block_panels * cc_key_block * cc_panel_width);
    s.parts = (float *)(s.block + cc_block_bytes(head));
    s.block_parts = s.parts + cc_query_panels * cc_part_words(head);
    float *scales = s.block_parts + cc_block_panels * cc_part_words(head);
    s.scales = (cc_scales){.keys = scales, .values = scales + cc_key_block};
    s.rows = (char *)(scales + 2 * cc_key_block);
    return s;
}

cc_head cc_make_head(const cc_kernels *kernels, int type, int stored, ptrdiff_t dimension) {
    return (cc_head){.kernels = kernels,
                     .path = type == CC_BF16 && kernels->bf16.per_word == 2 ? &kernels->bf16 : &kernels->f32,
                     .type = type,
                     .stored = stored,
                     .dimension = dimension};
}

// MARK: Operands

static ptrdiff_t key_offset(const cc_head *head, ptrdiff_t key) {
    if (!head->pages)
        return key * head->stride;
    return (head->pages[key / head->page_size] * head->page_size + key % head->page_size) * head->stride;
}

// The type in which rows are packed.
static int packing_type(const cc_head *head) {
    if (head->stored != CC_I8)
        return head->stored;
    return head->path->per_word == 2 ? CC_BF16 : CC_F32;
}

// Whether rows lie in the cache as the path multiplies them.
static int are_words(const cc_head *head) {
    return head->stored != CC_I8 && head->path->per_word * cc_element_bytes(head->stored) == 4 &&
           head->dimension % head->path->per_word == 0;
}

// A row as the path multiplies it.
static void widen_row(const cc_head *head, char *to, const char *from) {
    if (head->stored == CC_I8)
        head->path->fill_bytes(to, (const int8_t *)from, head->dimension);
    else
        head->path->fill_row(to, from, head->stored, head->dimension);
}

// Where `count` keys (or values) are, as the packing takes them: bytes are widened to `space` first.
static void find_rows(const cc_head *head, const char *base, ptrdiff_t first, ptrdiff_t count, char *space,
                      const void **rows) {
    for (ptrdiff_t i = 0; i < count; i++) {
        rows[i] = base + key_offset(head, first + i);
        if (head->stored == CC_I8) {
            char *row = space + i * depth_words(head) * 4;
            widen_row(head, row, rows[i]);
            rows[i] = row;
        }
    }
}

static void pack_keys(const cc_head *head, ptrdiff_t first, ptrdiff_t count, char *space, char *panels) {
    ptrdiff_t panel_bytes = depth_words(head) * cc_panel_width * 4;
    for (ptrdiff_t i = 0; i < count; i += cc_panel_width, panels += panel_bytes) {
        const void *rows[cc_panel_width] = {NULL};
        find_rows(head, head->keys, first + i, cc_min(cc_panel_width, count - i), space, rows);
        head->path->pack_transposed(panels, rows, packing_type(head), head->dimension);
    }
}

static void pack_values(const cc_head *head, ptrdiff_t first, ptrdiff_t count, char *space, char *panels) {
    const void *rows[cc_key_block];
    find_rows(head, head->values, first, count, space, rows);
    head->path->pack_straight(panels, rows, count, packing_type(head), head->dimension);
}

void cc_pack_block(const cc_head *head, ptrdiff_t first, ptrdiff_t count, char *block) {
    pack_keys(head, first, count, NULL, block);
    pack_values(head, first, count, NULL, block + key_bytes(head));
}

static void find_scales(const cc_head *head, const char *base, ptrdiff_t first, ptrdiff_t count, float *scales) {
    for (ptrdiff_t i = 0; i < count; i++)
        memcpy(scales + i, base + key_offset(head, first + i) + head->dimension, sizeof *scales);
}

// Whether sixteen keys, counted from key 0, are multiplied without being transposed: where they lie, or widened one
// after the other.
static int keys_lie_in_rows(const cc_head *head) {
    return head->pages && !head->packed && (!are_words(head) || head->page_size % cc_panel_width == 0);
}

static ptrdiff_t panels_of(const cc_queries *queries) { return cc_ceil_div(queries->count, cc_panel_width); }

// Completes the last panel, packs the queries; returns how many keys they see.
static ptrdiff_t prepare(const cc_head *head, cc_queries *queries, char *panels) {
    ptrdiff_t keys = 0, panel_bytes = depth_words(head) * cc_panel_width * 4;
    for (ptrdiff_t i = 0; i < queries->count; i++)
        keys = cc_max(keys, queries->limit[i]);
    for (ptrdiff_t i = queries->count; i % cc_panel_width != 0; i++) {
        queries->rows[i] = NULL;
        queries->output[i] = NULL;
        queries->limit[i] = (int32_t)keys;
    }
    for (ptrdiff_t i = 0; i < queries->count; i += cc_panel_width, panels += panel_bytes)
        head->path->pack_transposed(panels, (const void *const *)queries->rows + i, head->type, head->dimension);
    return keys;
}

// MARK: One block of keys

typedef struct block {
    ptrdiff_t first, count;
    const char *keys; // null: rows
    const char *values;
    const cc_scales *scales; // null where nothing is quantized
} block;

static block open_block(const cc_head *head, const space *s, ptrdiff_t first, ptrdiff_t keys, int in_rows) {
    block b = {.first = first, .count = cc_min(cc_key_block, keys - first), .keys = s->block};
    if (head->packed)
        b.keys = head->packed + first / cc_key_block * cc_block_bytes(head);
    else if (!in_rows)
        pack_keys(head, first, b.count, s->rows, s->block);
    b.values = b.keys + key_bytes(head);
    if (!head->packed)
        pack_values(head, first, b.count, s->rows, s->block + key_bytes(head));
    if (head->stored == CC_I8) {
        find_scales(head, head->keys, first, b.count, s->scales.keys);
        find_scales(head, head->values, first, b.count, s->scales.values);
        b.scales = &s->scales;
    }
    if (in_rows)
        b.keys = NULL;
    return b;
}

// Sixteen keys at a time, while memory is asked for those of the next block.
static void score_rows(const cc_head *head, const space *s, const block *b, const char *queries, ptrdiff_t panels,
                       ptrdiff_t keys) {
    ptrdiff_t words = depth_words(head), widens = !are_words(head);
    for (ptrdiff_t i = 0; i < b->count; i += cc_panel_width) {
        ptrdiff_t here = key_offset(head, b->first + i), later = b->first + cc_key_block + i;
        ptrdiff_t next = later < keys ? key_offset(head, later) : here;
        cc_ahead ahead = {.first = head->keys + next,
                          .second = head->values + next,
                          .row_bytes = head->stride,
                          .used_bytes = cc_cache_row_bytes(head->stored, head->dimension)};
        for (ptrdiff_t key = 0; widens && key < cc_min(cc_panel_width, b->count - i); key++)
            widen_row(head, s->rows + key * words * 4, head->keys + key_offset(head, b->first + i + key));
        head->path->multiply_rows(widens ? s->rows : head->keys + here, widens ? words * 4 : head->stride, &ahead,
                                  queries, panels, words * cc_panel_width, words, s->scores + i * cc_panel_width,
                                  cc_key_block * cc_panel_width);
    }
}

static void score(const cc_head *head, const space *s, const block *b, const char *queries, ptrdiff_t panels,
                  ptrdiff_t keys) {
    ptrdiff_t words = depth_words(head);
    if (b->keys)
        head->path->multiply_panels(b->keys, cc_ceil_div(b->count, cc_panel_width), queries, panels,
                                    words * cc_panel_width, words, s->scores, cc_key_block * cc_panel_width);
    else
        score_rows(head, s, b, queries, panels, keys);
}

// The parts of some panels, the first of which holds query `query`.
static void attend_block(const cc_head *head, const cc_queries *queries, const space *s, const block *b,
                         ptrdiff_t query, ptrdiff_t panels, ptrdiff_t keys, float *parts) {
    float factor = 1.44269504f / sqrtf((float)head->dimension);
    ptrdiff_t words = cc_ceil_div(b->count, head->path->per_word), part = cc_part_words(head);
    score(head, s, b, s->queries + query * depth_words(head) * 4, panels, keys);
    for (ptrdiff_t panel = 0; panel < panels; panel++) {
        int32_t limit[cc_panel_width];
        for (ptrdiff_t i = 0; i < cc_panel_width; i++)
            limit[i] = queries->limit[query + panel * cc_panel_width + i] - (int32_t)b->first;
        float *to = parts + panel * part;
        head->path->softmax(s->scores + panel * cc_key_block * cc_panel_width, b->count, b->scales, limit,
                            factor, to, to + cc_panel_width);
    }
    head->path->multiply_panels(b->values, columns_of(head) / cc_panel_width, s->scores, panels,
                                cc_key_block * cc_panel_width, words, parts + 2 * cc_panel_width, part);
}

// Whether any query of some panels sees a key of a block.
static int sees(const cc_queries *queries, ptrdiff_t query, ptrdiff_t panels, ptrdiff_t first) {
    for (ptrdiff_t i = query; i < query + panels * cc_panel_width; i++)
        if (queries->limit[i] > first)
            return 1;
    return 0;
}

// MARK: All blocks by one task

static void clear(float *part, ptrdiff_t words) {
    for (ptrdiff_t i = 0; i < words; i++)
        part[i] = i < cc_panel_width ? -INFINITY : 0;
}

static void merge(const cc_head *head, float *part, const float *other, ptrdiff_t column, ptrdiff_t columns) {
    const float *from = other + (2 + column) * cc_panel_width;
    head->kernels->merge_panel(part + 2 * cc_panel_width, from, columns, part, part + cc_panel_width, other,
                               other + cc_panel_width);
}

static void finish(const cc_head *head, const cc_queries *queries, ptrdiff_t query, const float *part,
                   ptrdiff_t column, ptrdiff_t columns) {
    head->kernels->finish_panel((void *const *)queries->output + query, head->type, part + 2 * cc_panel_width,
                                part + cc_panel_width, column, columns);
}

void cc_attend(const cc_head *head, cc_queries *queries, char *scratch) {
    space s = carve(head, scratch);
    ptrdiff_t keys = prepare(head, queries, s.queries), all = panels_of(queries), part = cc_part_words(head);
    int in_rows = all <= cc_block_panels && keys_lie_in_rows(head);
    for (ptrdiff_t panel = 0; panel < all; panel++)
        clear(s.parts + panel * part, part);
    for (ptrdiff_t first = 0; first < keys; first += cc_key_block) {
        block b = open_block(head, &s, first, keys, in_rows);
        for (ptrdiff_t panel = 0; panel < all; panel += cc_block_panels) {
            ptrdiff_t panels = cc_min(cc_block_panels, all - panel), query = panel * cc_panel_width;
            if (!sees(queries, query, panels, first))
                continue;
            attend_block(head, queries, &s, &b, query, panels, keys, s.block_parts);
            for (ptrdiff_t i = 0; i < panels; i++)
                merge(head, s.parts + (panel + i) * part, s.block_parts + i * part, 0, columns_of(head));
        }
    }
    for (ptrdiff_t panel = 0; panel < all; panel++)
        finish(head, queries, panel * cc_panel_width, s.parts + panel * part, 0, head->dimension);
}

// MARK: Parts by many tasks

void cc_attend_parts(const cc_head *head, cc_queries *queries, ptrdiff_t first_block, ptrdiff_t end_block,
                     char *scratch, float *parts) {
    space s = carve(head, scratch);
    ptrdiff_t keys = prepare(head, queries, s.queries), panels = panels_of(queries);
    int in_rows = keys_lie_in_rows(head);
    for (ptrdiff_t i = first_block; i < end_block; i++) {
        block b = open_block(head, &s, i * cc_key_block, keys, in_rows);
        attend_block(head, queries, &s, &b, 0, panels, keys, parts + i * panels * cc_part_words(head));
    }
}

void cc_merge_parts(const cc_head *head, cc_queries *queries, const float *parts, ptrdiff_t column) {
    ptrdiff_t panels = panels_of(queries), part = cc_part_words(head), keys = 0;
    for (ptrdiff_t i = 0; i < queries->count; i++)
        keys = cc_max(keys, queries->limit[i]);
    for (ptrdiff_t i = queries->count; i < panels * cc_panel_width; i++)
        queries->output[i] = NULL;
    for (ptrdiff_t panel = 0; panel < panels; panel++) {
        float sum[(2 + cc_panel_width) * cc_panel_width];
        clear(sum, (2 + cc_panel_width) * cc_panel_width);
        for (ptrdiff_t i = 0; i < cc_ceil_div(keys, cc_key_block); i++)
            merge(head, sum, parts + (i * panels + panel) * part, column, cc_panel_width);
        finish(head, queries, panel * cc_panel_width, sum, column, cc_min(cc_panel_width, head->dimension - column));
    }
}
