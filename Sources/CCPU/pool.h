// Runs the tasks of one parallel region on a fixed set of threads, the caller among them.
#pragma once
#include <stddef.h>

typedef struct cc_pool cc_pool;
typedef void (*cc_task)(void *context, ptrdiff_t task, int thread);

cc_pool *cc_pool_create(int threads);
void cc_pool_destroy(cc_pool *pool);

// Calls run(context, i, thread) for every i in 0..<tasks, fewer than 2^32, in any order, and returns when all are done.
void cc_pool_run(cc_pool *pool, ptrdiff_t tasks, cc_task run, void *context);
