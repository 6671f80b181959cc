#include "simt.h"
#include <cstdio>
#include <memory>

namespace simt {

thread_local block *current_block = nullptr;
thread_local thread *current_thread = nullptr;

namespace {

constexpr unsigned thread_limit = 1024;
constexpr unsigned guard_bytes = 256; // behind shared memory

// What one calling thread keeps between launches.
struct worker {
    std::unique_ptr<thread[]> threads{new thread[thread_limit]};
    std::unique_ptr<warp[]> warps{new warp[thread_limit / 32]};
    std::unique_ptr<unsigned char[]> memory{new unsigned char[shared_limit + guard_bytes + 16]};

    unsigned char *shared() { return (unsigned char *)(((size_t)memory.get() + 15) & ~(size_t)15); }
};

worker &this_worker() {
    static thread_local worker w;
    return w;
}

void wait_for(const unsigned *generation) {
    current_thread->awaited = generation;
    current_thread->seen = *generation;
    current_thread->stack.yield();
}

void start(void *argument) {
    auto *t = (thread *)argument;
    current_block->entry(current_block->params);
    t->done = true;
    for (;;) t->stack.yield();
}

bool can_run(const thread &t) { return !t.done && (!t.awaited || *t.awaited != t.seen); }

// Order of `count` things under a schedule.
unsigned ordered(unsigned i, unsigned count, unsigned schedule) {
    if (schedule == 1) return count - 1 - i;
    if (schedule == 2) return (i + count / 2 + 1) % count;
    return i;
}

// Runs a warp until each lane waits or has ended; whether any lane ran.
bool run_warp(worker &w, unsigned warp_index, unsigned schedule) {
    bool any = false;
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < 32; ++i) {
            thread &t = w.threads[warp_index * 32 + ordered(i, 32, schedule)];
            if (!can_run(t)) continue;
            t.awaited = nullptr;
            current_thread = &t;
            t.stack.resume();
            if (current_block->error) return false;
            again = any = true;
        }
    }
    return any;
}

const char *describe_deadlock(const worker &w) {
    bool in_warp = false, at_barrier = false;
    for (unsigned i = 0; i < current_block->thread_count; ++i) {
        if (w.threads[i].done) continue;
        (w.threads[i].awaited == &current_block->generation ? at_barrier : in_warp) = true;
    }
    if (at_barrier && in_warp) return "a divergent barrier: some threads wait at it, others for lanes of their warp";
    if (at_barrier) return "a divergent barrier: some threads wait at it, others have ended";
    return "a divergent warp operation: some lanes wait in it, others have ended";
}

void prepare_thread(worker &w, unsigned i) {
    thread &t = w.threads[i];
    const index3 &size = current_block->size;
    t.index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
    t.lane = i % 32;
    t.its_warp = &w.warps[i / 32];
    t.done = false;
    t.awaited = nullptr;
    t.shared_used = (current_block->dynamic_bytes + 15) / 16 * 16;
    t.copy_groups = 0;
    t.copies.clear();
    if (!t.stack.prepare(start, &t)) current_block->error = "no memory for the stacks of a block";
}

const char *run_block(worker &w, unsigned schedule) {
    block &b = *current_block;
    std::memset(w.shared(), 0xff, shared_limit + guard_bytes);
    b.arrived = 0;
    unsigned warps = b.thread_count / 32;
    for (unsigned i = 0; i < warps; ++i) w.warps[i].arrived = 0;
    for (unsigned i = 0; i < b.thread_count; ++i) prepare_thread(w, i);
    for (bool again = true; again && !b.error;) {
        again = false;
        for (unsigned i = 0; i < warps && !b.error; ++i) again |= run_warp(w, ordered(i, warps, schedule), schedule);
    }
    if (b.error) return b.error;
    for (unsigned i = 0; i < b.thread_count; ++i) {
        if (!w.threads[i].done) return describe_deadlock(w);
        if (!w.threads[i].copies.empty()) return "a thread ended without waiting for its copies";
    }
    for (unsigned i = 0; i < guard_bytes; ++i) {
        if (w.shared()[shared_limit + i] != 0xff) return "a write behind shared memory";
    }
    return nullptr;
}

const char *refuse(const block &b, unsigned max_threads) {
    if (b.thread_count == 0 || b.grid.x == 0 || b.grid.y == 0 || b.grid.z == 0) return "an empty grid or block";
    if (b.thread_count % 32 != 0) return "a block whose threads are not whole warps";
    if (b.thread_count > max_threads) return "a block of more threads than the kernel's launch bounds";
    if (b.grid.y > 65535 || b.grid.z > 65535) return "a grid larger than 65535 in y or z";
    if (b.dynamic_bytes > shared_limit) return "more dynamic shared memory than a block can have";
    return nullptr;
}

} // namespace

void fail(const char *error) {
    if (!current_block->error) current_block->error = error;
    for (;;) current_thread->stack.yield();
}

void barrier() {
    block &b = *current_block;
    if (++b.arrived == b.thread_count) {
        b.arrived = 0;
        ++b.generation;
        return;
    }
    wait_for(&b.generation);
}

const unsigned char (*exchange(
    const char *operation, const void *value, unsigned byte_count, slot_reduction reduce))[warp::slot_bytes] {
    warp &w = *current_thread->its_warp;
    if (w.arrived > 0 && w.operation != operation && std::strcmp(w.operation, operation) != 0) {
        fail("lanes of a warp call different operations");
    }
    w.operation = operation;
    auto &slots = w.slots[w.generation & 1];
    std::memcpy(slots[current_thread->lane], value, byte_count);
    if (++w.arrived == 32) {
        if (reduce) reduce(slots, byte_count);
        w.arrived = 0;
        ++w.generation;
    } else {
        wait_for(&w.generation);
    }
    return slots;
}

void *static_shared(unsigned byte_count) {
    thread &t = *current_thread;
    unsigned offset = t.shared_used;
    t.shared_used += (byte_count + 15) / 16 * 16;
    unsigned dynamic = (current_block->dynamic_bytes + 15) / 16 * 16;
    if (t.shared_used - dynamic > static_shared_limit) fail("more than 48 KiB of static shared memory");
    if (t.shared_used > shared_limit) fail("more shared memory than a block can have");
    return current_block->shared + offset;
}

void finish_copies(unsigned pending) {
    thread &t = *current_thread;
    size_t kept = 0;
    for (const pending_copy &copy : t.copies) {
        if (copy.group + pending >= t.copy_groups) {
            t.copies[kept++] = copy;
        } else if (copy.valid) {
            std::memcpy(copy.target, copy.source, 16);
        } else {
            std::memset(copy.target, 0, 16);
        }
    }
    t.copies.resize(kept);
}

int run_grid(
    const char *name, void (*entry)(void **), const unsigned grid[3], const unsigned size[3], unsigned dynamic_bytes,
    unsigned schedule, unsigned max_threads, void **params, char *error, unsigned long error_size
) {
    worker &w = this_worker();
    block b = {};
    b.grid = {grid[0], grid[1], grid[2]};
    b.size = {size[0], size[1], size[2]};
    b.dynamic_bytes = dynamic_bytes;
    b.thread_count = size[0] * size[1] * size[2];
    b.shared = w.shared();
    b.entry = entry;
    b.params = params;
    current_block = &b;
    const char *text = schedule > 2 ? "a schedule other than 0, 1 and 2" : refuse(b, max_threads);
    unsigned blocks = grid[0] * grid[1] * grid[2];
    for (unsigned i = 0; i < blocks && !text; ++i) {
        unsigned at = ordered(i, blocks, schedule);
        b.index = {at % grid[0], at / grid[0] % grid[1], at / grid[0] / grid[1]};
        text = run_block(w, schedule);
    }
    current_block = nullptr;
    if (!text) return 0;
    snprintf(
        error, error_size, "%s, block (%u, %u, %u) of (%u, %u, %u): %s", name, b.index.x, b.index.y, b.index.z, grid[0],
        grid[1], grid[2], text);
    return 1;
}

} // namespace simt
