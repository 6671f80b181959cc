// Attention of some queries to the keys of one head: what the bidirectional and the paged drivers share.
//
// Keys are taken in blocks, counted from key 0 whatever the query. A block gives each panel of 16 queries a *part*:
//
//     part    maximum [16], total [16], output [columns][16]        float32
//
// and parts are merged in the order of the blocks. So a result depends on neither the neighbors of a query, nor the
// threads, nor on whether the parts of one query were computed by one task or by many. (The scheme is
// FlashAttention's, Dao et al. 2022; parts by many tasks are Flash-Decoding's, Dao et al. 2023.)
#pragma once
#include "engine.h"

enum {
    cc_key_block = 256,
    cc_query_panels = 24, // panels of queries that one task holds at most
    cc_block_panels = 3,  // panels that share one pass over a block of keys
    cc_task_queries = cc_query_panels * cc_panel_width,
};

// The keys and values of one head, where they lie.
typedef struct cc_head {
    const cc_kernels *kernels;
    const cc_path *path;
    int type;   // of queries and results
    int stored; // of keys and values: `type` or CC_I8
    ptrdiff_t dimension;
    const char *keys, *values;
    ptrdiff_t stride;     // bytes from one key to the next
    const int32_t *pages; // null: keys lie one after the other
    ptrdiff_t page_size;
    const char *packed; // null, or the blocks that cc_pack_block made, cc_block_bytes apart
} cc_head;

// The queries of one task: rows, and how many keys each sees, from key 0.
typedef struct cc_queries {
    ptrdiff_t count;
    const char *rows[cc_task_queries];
    char *output[cc_task_queries];
    int32_t limit[cc_task_queries];
} cc_queries;

cc_head cc_make_head(const cc_kernels *kernels, int type, int stored, ptrdiff_t dimension);

// Bytes of a packed block of keys and values.
ptrdiff_t cc_block_bytes(const cc_head *head);

// Packs the block that begins with key `first`, `count` keys of it.
void cc_pack_block(const cc_head *head, ptrdiff_t first, ptrdiff_t count, char *block);

// float32 words of a part.
ptrdiff_t cc_part_words(const cc_head *head);

// Computes the queries' results and stores them; `scratch` is the thread's.
void cc_attend(const cc_head *head, cc_queries *queries, char *scratch);

// Computes the parts of at most cc_block_panels panels over some blocks: parts[block][panel].
void cc_attend_parts(const cc_head *head, cc_queries *queries, ptrdiff_t first_block, ptrdiff_t end_block,
                     char *scratch, float *parts);

// Merges the parts of all blocks for 16 columns, from `column` on, and stores them.
void cc_merge_parts(const cc_head *head, cc_queries *queries, const float *parts, ptrdiff_t column);
