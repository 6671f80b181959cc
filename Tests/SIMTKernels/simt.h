// A block of CUDA threads on one thread of this processor; what dev_host.h is made of.
#pragma once
#include "fiber.h"
#include <cstring>
#include <vector>

namespace simt {

struct index3 {
    unsigned x, y, z;
};

// A meeting of all 32 lanes. Two slots alternate: a lane may be one operation ahead, never two, so what a slow
// lane still reads is not overwritten.
struct warp {
    static constexpr unsigned slot_bytes = 128;
    unsigned arrived = 0;
    unsigned generation = 0;
    const char *operation = nullptr;
    alignas(16) unsigned char slots[2][32][slot_bytes];
};

// A copy to shared memory that has been asked for; it is carried out when the thread waits for its group.
struct pending_copy {
    void *target;
    const void *source;
    bool valid;
    unsigned group;
};

struct thread {
    fiber stack;
    index3 index;
    unsigned lane;
    warp *its_warp;
    bool done;
    const unsigned *awaited; // a generation that must change before the thread goes on
    unsigned seen;
    unsigned shared_used;
    unsigned copy_groups; // committed
    std::vector<pending_copy> copies;
};

struct block {
    index3 grid, size, index;
    unsigned dynamic_bytes;
    unsigned thread_count;
    unsigned arrived, generation; // at the barrier
    unsigned char *shared;
    void (*entry)(void **params);
    void **params;
    const char *error; // the first, static text
};

extern thread_local block *current_block;
extern thread_local thread *current_thread;

// Static and dynamic shared memory of one block: what sm_90 gives at most.
constexpr unsigned shared_limit = 227 * 1024;
constexpr unsigned static_shared_limit = 48 * 1024;

// Marks the block as failed and leaves it; does not return.
[[noreturn]] void fail(const char *error);

// Every thread arrives before any goes on.
void barrier();

// What the last lane does with all slots before the others see them.
using slot_reduction = void (*)(unsigned char (*slots)[warp::slot_bytes], unsigned byte_count);

// Passes `value` to the other lanes; returns the 32 slots, valid until the lane's next operation but one.
const unsigned char (*exchange(
    const char *operation, const void *value, unsigned byte_count, slot_reduction reduce = nullptr))[warp::slot_bytes];

// The next static array of the block.
void *static_shared(unsigned byte_count);

// Carries out this thread's copies but those of the `pending` newest groups.
void finish_copies(unsigned pending);

// Runs a grid block by block; 0, or 1 and a line in `error`.
int run_grid(
    const char *name, void (*entry)(void **), const unsigned grid[3], const unsigned size[3], unsigned dynamic_bytes,
    unsigned schedule, unsigned max_threads, void **params, char *error, unsigned long error_size);

} // namespace simt
