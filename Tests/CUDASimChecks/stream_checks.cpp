// Order: streams, events, host functions, and host memory that is touched too early.
#include "check.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

CHECK(round_trip, "bytes go up, over, and down again") {
    use(test_machine(2));
    CUcontext second = start(1), first = start(0);
    CUdeviceptr here = allocate(4096);
    OK(cuCtxSetCurrent(second));
    CUdeviceptr there = allocate(4096);
    OK(cuCtxSetCurrent(first));
    CUstream stream = new_stream();
    unsigned char *from = (unsigned char *)pinned(4096), *to = (unsigned char *)pinned(4096);
    for (int i = 0; i < 4096; ++i) from[i] = (unsigned char)(i * 7);
    OK(cuMemcpyHtoDAsync_v2(here, from, 4096, stream));
    OK(cuMemcpyPeerAsync(there, second, here, first, 4096, stream));
    OK(cuMemsetD8Async(here, 0, 4096, stream));
    OK(cuMemcpyPeerAsync(here, first, there, second, 4096, stream));
    OK(cuMemcpyDtoHAsync_v2(to, here, 4096, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(memcmp(from, to, 4096) == 0);
    REQUIRE(cudasim_finding_count() == 0);
}

CHECK(early_read, "a download is not there before somebody has waited for it") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    CUevent event = new_event();
    unsigned *target = (unsigned *)pinned(64);
    target[0] = 5;
    OK(cuMemsetD32Async(address, 9, 16, stream));
    OK(cuMemcpyDtoHAsync_v2(target, address, 64, stream));
    OK(cuEventRecord(event, stream));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    REQUIRE(target[0] == 0xFBFBFBFBu);
    OK(cuEventSynchronize(event));
    REQUIRE(target[0] == 9);
}

CHECK(query_delivers, "an event that is found complete delivers like a wait") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    CUevent event = new_event();
    unsigned *target = (unsigned *)pinned(64);
    OK(cuEventQuery(event));
    OK(cuMemsetD32Async(address, 3, 16, stream));
    OK(cuMemcpyDtoHAsync_v2(target, address, 64, stream));
    OK(cuEventRecord(event, stream));
    for (CUresult result; (result = cuEventQuery(event)) != CUDA_SUCCESS;) REQUIRE(result == CUDA_ERROR_NOT_READY);
    REQUIRE(target[0] == 3);
    OK(cuStreamQuery(stream));
}

CHECK(staged_hop, "a download feeds an upload on another stream when an event orders them") {
    use(test_machine(2));
    CUcontext second = start(1), first = start(0);
    CUdeviceptr from = allocate(64);
    CUstream sender = new_stream();
    CUevent sent = new_event();
    void *stage = pinned(64);
    OK(cuCtxSetCurrent(second));
    CUdeviceptr to = allocate(64);
    CUstream receiver = new_stream();
    OK(cuMemsetD32Async(from, 77, 16, sender));
    OK(cuMemcpyDtoHAsync_v2(stage, from, 64, sender));
    OK(cuEventRecord(sent, sender));
    OK(cuStreamWaitEvent(receiver, sent, 0));
    OK(cuMemcpyHtoDAsync_v2(to, stage, 64, receiver));
    OK(cuStreamSynchronize(receiver));
    unsigned words[16];
    OK(cuMemcpyDtoH_v2(words, to, 64));
    REQUIRE(words[0] == 77 && words[15] == 77);
    REQUIRE(cudasim_finding_count() == 0);
    (void)first;
}

CHECK(unordered_hop, "without the event it is a finding") {
    use(test_machine(1));
    start();
    CUdeviceptr from = allocate(64), to = allocate(64);
    CUstream sender = new_stream(), receiver = new_stream();
    void *stage = pinned(64);
    OK(cuMemcpyDtoHAsync_v2(stage, from, 64, sender));
    OK(cuMemcpyHtoDAsync_v2(to, stage, 64, receiver));
    OK(cuCtxSynchronize());
    REQUIRE(found("no event or wait orders"));
}

CHECK(staging_again, "memory is staged through again when an event says that its upload has been") {
    use(test_machine(1));
    start();
    CUdeviceptr from = allocate(64), to = allocate(64);
    CUstream sender = new_stream(), receiver = new_stream();
    CUevent received = new_event();
    unsigned *stage = (unsigned *)pinned(64);
    std::fill(stage, stage + 16, 5u);
    OK(cuMemsetD32Async(from, 77, 16, sender));
    // The upload runs when the download behind it is already known.
    REQUIRE(cudasim_inject_faults("[{\"call\": \"run:copy\", \"delay_ms\": 50}]") == 0);
    OK(cuMemcpyHtoDAsync_v2(to, stage, 64, receiver));
    OK(cuEventRecord(received, receiver));
    OK(cuStreamWaitEvent(sender, received, 0));
    OK(cuMemcpyDtoHAsync_v2(stage, from, 64, sender));
    OK(cuStreamSynchronize(sender));
    unsigned words[16];
    OK(cuMemcpyDtoH_v2(words, to, 64));
    REQUIRE(words[0] == 5 && words[15] == 5 && stage[0] == 77 && stage[15] == 77);
    REQUIRE(cudasim_finding_count() == 0);
}

CHECK(changed_source, "a pinned source that changes in flight is a finding") {
    use(test_machine(1, "\"faults\": [{\"call\": \"run:memset\", \"delay_ms\": 60}]"));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    char *source = (char *)pinned(64);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuMemcpyHtoDAsync_v2(address, source, 64, stream));
    source[3] = 1;
    OK(cuStreamSynchronize(stream));
    REQUIRE(found("the pinned source of an upload of 64 bytes changed in flight"));
}

CHECK(pageable_source, "a pageable source is taken at the call, or late when that is asked for, and then watched") {
    use(test_machine(1, "\"faults\": [{\"call\": \"run:memset\", \"count\": 2, \"delay_ms\": 60}]"));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    std::vector<unsigned> source(16, 1), got(16);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuMemcpyHtoDAsync_v2(address, source.data(), 64, stream));
    source[0] = 2;
    OK(cuStreamSynchronize(stream));
    OK(cuMemcpyDtoH_v2(got.data(), address, 64));
    REQUIRE(got[0] == 1 && cudasim_finding_count() == 0);
    cudasim_set_late_pageable_uploads(1);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuMemcpyHtoDAsync_v2(address, source.data(), 64, stream));
    source[0] = 3;
    OK(cuStreamSynchronize(stream));
    REQUIRE(found("the pageable source of an upload of 64 bytes changed in flight"));
}

CHECK(target_written, "writing into a download's target before it is delivered is a finding") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    char *target = (char *)pinned(64);
    OK(cuMemcpyDtoHAsync_v2(target, address, 64, stream));
    target[5] = 0;
    OK(cuStreamSynchronize(stream));
    REQUIRE(found("was written while a download"));
}

CHECK(freed_in_flight, "pinned memory freed under a copy is a finding") {
    use(test_machine(1, "\"faults\": [{\"call\": \"run:memset\", \"delay_ms\": 60}]"));
    start();
    CUdeviceptr address = allocate(64);
    CUstream stream = new_stream();
    void *source = pinned(64);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuMemcpyHtoDAsync_v2(address, source, 64, stream));
    OK(cuMemFreeHost(source));
    REQUIRE(found("of which a copy is in flight"));
}

static void set_flag(void *flag) { *(std::atomic<int> *)flag = 1; }
static void call_driver(void *result) { *(CUresult *)result = cuCtxSynchronize(); }

CHECK(host_function, "a host function runs in order, sees downloads, and may not call the driver") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    std::atomic<int> flag = 0;
    OK(cuLaunchHostFunc(stream, set_flag, &flag));
    while (flag == 0) std::this_thread::yield(); // without any call: the simulator goes on by itself
    CUresult result = CUDA_SUCCESS;
    OK(cuLaunchHostFunc(stream, call_driver, &result));
    OK(cuStreamSynchronize(stream));
    REQUIRE(result == CUDA_ERROR_NOT_PERMITTED);
}

CHECK(event_rules, "events belong to a device; their times need timing and a recording") {
    use(test_machine(2));
    CUcontext first = start(0);
    CUevent of_first = new_event(), a, b;
    OK(cuEventCreate(&a, 0));
    OK(cuEventCreate(&b, 0));
    CUstream stream = new_stream();
    float time = -1;
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&time, a, b));
    OK(cuEventRecord(a, stream));
    OK(cuEventRecord(b, stream));
    OK(cuEventSynchronize(b));
    OK(cuEventElapsedTime(&time, a, b));
    REQUIRE(time >= 0);
    start(1);
    CUstream other = new_stream();
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuEventRecord(of_first, other));
    OK(cuCtxSetCurrent(first));
    OK(cuEventDestroy_v2(of_first));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuEventSynchronize(of_first));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize((CUstream)a));
}

CHECK(default_stream, "the legacy default stream waits for blocking streams, and they for it") {
    use(test_machine(1, "\"faults\": [{\"call\": \"run:memset\", \"delay_ms\": 40}]"));
    start();
    CUdeviceptr address = allocate(64);
    CUstream blocking;
    OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    OK(cuMemsetD32Async(address, 1, 16, blocking));
    OK(cuMemsetD32Async(address, 2, 16, nullptr));
    OK(cuMemsetD32Async(address, 3, 8, blocking));
    OK(cuCtxSynchronize());
    unsigned words[16];
    OK(cuMemcpyDtoH_v2(words, address, 64));
    REQUIRE(words[0] == 3 && words[15] == 2);
}

// What a program without the right events leaves to chance: which of two writers comes last.
static unsigned last_writer(unsigned long long seed) {
    use(test_machine(1));
    cudasim_set_order(1, seed);
    start();
    CUdeviceptr address = allocate(4);
    CUstream a = new_stream(), b = new_stream();
    OK(cuMemsetD32Async(address, 1, 1, a));
    OK(cuMemsetD32Async(address, 2, 1, b));
    OK(cuCtxSynchronize());
    unsigned word = 0;
    OK(cuMemcpyDtoH_v2(&word, address, 4));
    return word;
}

CHECK(seeds, "deterministic order: the same seed gives the same order, and seeds explore both") {
    bool seen[3] = {};
    for (unsigned seed = 0; seed < 12; ++seed) {
        unsigned first = last_writer(seed);
        REQUIRE(first == 1 || first == 2);
        REQUIRE(last_writer(seed) == first);
        seen[first] = true;
    }
    REQUIRE(seen[1] && seen[2]);
}

CHECK(seeds_keep_order, "whatever the seed, events and streams keep their order") {
    for (unsigned seed = 0; seed < 12; ++seed) {
        use(test_machine(1));
        cudasim_set_order(1, seed);
        start();
        CUdeviceptr address = allocate(4);
        CUstream a = new_stream(), b = new_stream();
        CUevent event = new_event();
        std::atomic<int> flag = 0;
        OK(cuMemsetD32Async(address, 1, 1, a));
        OK(cuLaunchHostFunc(a, set_flag, &flag));
        OK(cuEventRecord(event, a));
        OK(cuStreamWaitEvent(b, event, 0));
        OK(cuMemsetD32Async(address, 2, 1, b));
        OK(cuStreamSynchronize(b));
        unsigned word = 0;
        OK(cuMemcpyDtoH_v2(&word, address, 4));
        REQUIRE(word == 2 && flag == 1);
    }
}

CHECK(many_threads, "many host threads, each with streams of its own") {
    use(test_machine(2));
    CUcontext contexts[2] = {start(0), start(1)};
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            try {
                OK(cuCtxSetCurrent(contexts[i % 2]));
                CUdeviceptr address = allocate(4096);
                CUstream stream = new_stream();
                unsigned *words = (unsigned *)pinned(4096);
                for (unsigned round = 0; round < 20; ++round) {
                    OK(cuMemsetD32Async(address, round + (unsigned)i, 1024, stream));
                    OK(cuMemcpyDtoHAsync_v2(words, address, 4096, stream));
                    OK(cuStreamSynchronize(stream));
                    REQUIRE(words[1023] == round + (unsigned)i);
                }
                OK(cuMemFreeHost(words));
                OK(cuStreamDestroy_v2(stream));
                OK(cuMemFree_v2(address));
            } catch (const std::string &) {
                ++failures;
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    REQUIRE(failures == 0 && cudasim_finding_count() == 0);
}
