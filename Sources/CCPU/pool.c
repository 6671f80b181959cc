// A persistent thread pool for many short regions.
//
// A region is announced by a generation number. A worker spins on it for a bounded time, because the next
// region of a forward pass is usually microseconds away, and then sleeps in the kernel, so an idle engine
// uses no processor. Tasks are handed out by one shared counter: threads that are delayed simply take fewer.
//
// A region ends when its tasks have ended, not when every worker has been there: one that has no processor, or is still
// being woken, holds nobody up. So a worker may arrive late, and the counter carries the generation: a task is taken only
// from the region that the worker was called to, and that region waits for it.
#define _GNU_SOURCE
#include "pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// About 20 microseconds of polling: longer than the gap between two regions, shorter than a scheduler slice.
enum { spin_limit = 1000 };

typedef struct worker {
    cc_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct cc_pool {
    int threads;
    worker *workers;

    // The region; written by the caller before `open`, and read by who has taken a task of it.
    cc_task run;
    void *context;
    uint32_t tasks;

    _Alignas(64) _Atomic uint64_t open; // the generation, and in the low half how many tasks nobody has taken
    _Alignas(64) _Atomic uint32_t generation;
    atomic_int sleepers;
    atomic_int stopping;
    _Alignas(64) _Atomic uint32_t unfinished; // tasks that have not ended
    atomic_int caller_sleeps;
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

// Takes a task of a region: how many were left with it, or 0 when there is none.
static uint32_t take_task(cc_pool *pool, uint32_t generation) {
    uint64_t open = atomic_load_explicit(&pool->open, memory_order_acquire);
    while ((uint32_t)(open >> 32) == generation && (uint32_t)open != 0)
        if (atomic_compare_exchange_weak_explicit(&pool->open, &open, open - 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return (uint32_t)open;
    return 0;
}

static void take_tasks(cc_pool *pool, uint32_t generation, int thread) {
    uint32_t done = 0;
    for (uint32_t left; (left = take_task(pool, generation)) != 0; done++)
        pool->run(pool->context, (ptrdiff_t)(pool->tasks - left), thread);
    if (done > 0 && atomic_fetch_sub(&pool->unfinished, done) == done && atomic_load(&pool->caller_sleeps))
        futex_wake(&pool->unfinished);
}

static uint32_t wait_for_generation(cc_pool *pool, uint32_t seen) {
    for (int i = 0; i < spin_limit; i++) {
        uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (generation != seen)
            return generation;
        relax();
    }
    // Announced before the last look, so that the caller either sees the sleeper or is seen by it.
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen)
        futex_wait(&pool->generation, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
    return atomic_load(&pool->generation);
}

static void *work(void *argument) {
    worker *self = argument;
    cc_pool *pool = self->pool;
    for (uint32_t seen = 0;;) {
        seen = wait_for_generation(pool, seen);
        if (atomic_load_explicit(&pool->stopping, memory_order_acquire))
            return NULL;
        take_tasks(pool, seen, self->index);
    }
}

static void announce(cc_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0)
        futex_wake(&pool->generation);
}

static void wait_for_tasks(cc_pool *pool) {
    for (int i = 0; i < spin_limit; i++) {
        if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0)
            return;
        relax();
    }
    atomic_store(&pool->caller_sleeps, 1);
    for (uint32_t left = atomic_load(&pool->unfinished); left != 0; left = atomic_load(&pool->unfinished))
        futex_wait(&pool->unfinished, left);
    atomic_store(&pool->caller_sleeps, 0);
}

void cc_pool_run(cc_pool *pool, ptrdiff_t tasks, cc_task run, void *context) {
    if (tasks <= 0)
        return;
    if (pool->threads == 1 || tasks == 1) {
        for (ptrdiff_t i = 0; i < tasks; i++)
            run(context, i, 0);
        return;
    }
    pool->run = run;
    pool->context = context;
    pool->tasks = (uint32_t)tasks;
    uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->unfinished, (uint32_t)tasks, memory_order_relaxed);
    atomic_store_explicit(&pool->open, (uint64_t)generation << 32 | (uint32_t)tasks, memory_order_release);
    announce(pool);
    take_tasks(pool, generation, 0);
    wait_for_tasks(pool);
}

static void join_workers(cc_pool *pool, int count) {
    atomic_store(&pool->stopping, 1);
    announce(pool);
    for (int i = 0; i < count; i++)
        pthread_join(pool->workers[i].thread, NULL);
}

cc_pool *cc_pool_create(int threads) {
    cc_pool *pool = aligned_alloc(64, (sizeof(cc_pool) + 63) / 64 * 64);
    if (!pool)
        return NULL;
    *pool = (cc_pool){.threads = threads};
    pool->workers = calloc((size_t)threads, sizeof(worker));
    for (int i = 0; pool->workers && i < threads - 1; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i + 1};
        if (pthread_create(&pool->workers[i].thread, NULL, work, &pool->workers[i]) != 0) {
            join_workers(pool, i);
            free(pool->workers);
            pool->workers = NULL;
        }
    }
    if (!pool->workers) {
        free(pool);
        return NULL;
    }
    return pool;
}

void cc_pool_destroy(cc_pool *pool) {
    join_workers(pool, pool->threads - 1);
    free(pool->workers);
    free(pool);
}
