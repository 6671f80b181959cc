// Kernels with one fault each: the shim must name it, or give another result under another schedule.
#include "block.cuh"
#include "kernel_checks.h"
#include <cstdio>
#include <string>
#include <vector>

namespace {

// Parameters: int *y [64].
int *result(void **params) { return *(int **)params[0]; }

void divergent_barrier(void **) {
    if (threadIdx.x < 40) dev::barrier();
}

void barrier_beside_shuffle(void **) {
    if (threadIdx.x < 16) dev::barrier();
    else dev::shuffle(1, 0);
}

void half_a_warp(void **) {
    if (threadIdx.x % 2 == 0) dev::shuffle(1, 0);
}

void different_operations(void **) {
    if (threadIdx.x % 32 < 7) dev::shuffle(1, 0);
    else dev::shuffle_xor(1, 1);
}

void too_much_shared_memory(void **) { SHARED(float, tile, 12289); (void)tile; }

void write_behind(void **) {
    SHARED(int, tile, 4);
    if (threadIdx.x == 5) tile[7] = 1;
}

void copy_without_wait(void **params) {
    SHARED(words4, tile, 64);
    dev::copy_async16(tile + threadIdx.x, result(params), true);
    dev::copy_async_commit();
}

void unaligned_load(void **params) { dev::load_stream((const char *)result(params) + 4); }

// Reads what a thread of another warp writes, without a barrier between.
void missing_barrier(void **params) {
    SHARED(int, tile, 64);
    tile[threadIdx.x] = (int)threadIdx.x;
    result(params)[threadIdx.x] = tile[63 - threadIdx.x];
}

// Reads shared memory that nobody wrote.
void unwritten_memory(void **params) {
    SHARED(int, tile, 64);
    result(params)[threadIdx.x] = tile[threadIdx.x];
}

struct fault {
    const char *name;
    void (*kernel)(void **);
    const char *expected; // part of the error
};

const fault faults[] = {
    {"divergent barrier", divergent_barrier, "some threads wait at it, others have ended"},
    {"barrier beside shuffle", barrier_beside_shuffle, "others for lanes of their warp"},
    {"half a warp", half_a_warp, "a divergent warp operation"},
    {"different operations", different_operations, "lanes of a warp call different operations"},
    {"too much shared memory", too_much_shared_memory, "more than 48 KiB of static shared memory"},
    {"write behind shared memory", write_behind, "a write behind shared memory"},
    {"copy without wait", copy_without_wait, "a thread ended without waiting for its copies"},
    {"unaligned load", unaligned_load, "a load of 16 bytes that are not aligned"},
};

struct outcome {
    int status;
    std::string error;
    std::vector<int> y;
};

outcome run(void (*kernel)(void **), unsigned schedule, unsigned threads = 64) {
    alignas(16) int y[68] = {0};
    int *address = y;
    void *params[] = {&address};
    unsigned grid[3] = {1, 1, 1}, size[3] = {threads, 1, 1};
    char error[300] = "";
    int status = simt::run_grid("kernel", kernel, grid, size, 0, schedule, 256, params, error, sizeof error);
    return {status, error, {y, y + 64}};
}

std::string first_fault() {
    for (const fault &f : faults) {
        for (unsigned schedule = 0; schedule < 3; ++schedule) {
            outcome got = run(f.kernel, schedule);
            if (got.status != 0 && got.error.find(f.expected) != std::string::npos) continue;
            return std::string(f.name) + ", schedule " + std::to_string(schedule) + ": expected an error with '" +
                   f.expected + "', got '" + got.error + "'";
        }
    }
    if (run(missing_barrier, 0).y == run(missing_barrier, 1).y) return "a missing barrier does not show";
    if (run(unwritten_memory, 0).y != std::vector<int>(64, -1)) return "fresh shared memory is not 0xFF";
    if (run(unwritten_memory, 0, 48).status == 0) return "a block of one and a half warps runs";
    if (run(unwritten_memory, 0, 288).status == 0) return "a block larger than the launch bounds runs";
    if (run(unwritten_memory, 3).status == 0) return "an unknown schedule runs";
    return "";
}

} // namespace

int kc_check_shim(char *error, size_t error_size) {
    std::string fault = first_fault();
    snprintf(error, error_size, "%s", fault.c_str());
    return fault.empty() ? 0 : 1;
}
