// Budgets, addresses, and what happens to memory that is used wrongly.
#include "check.h"
#include <cstring>

CHECK(budget, "an allocation past the budget is out of memory, and freeing gives it back") {
    use(test_machine(1));
    start();
    size_t free_before, free_now, total;
    OK(cuMemGetInfo_v2(&free_before, &total));
    REQUIRE(total == 64u << 20 && free_before == total);
    CUdeviceptr first = allocate(60u << 20), second;
    RETURNS(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&second, 8u << 20));
    OK(cuMemFree_v2(first));
    OK(cuMemGetInfo_v2(&free_now, &total));
    REQUIRE(free_now == free_before);
    REQUIRE(first % 256 == 0);
}

CHECK(other_processes, "memory of other processes and of the context is not free") {
    use(test_machine(1, "", "\"context_mib\": 4, \"processes\": [{\"pid\": 7, \"memory_mib\": 20}]"));
    start();
    size_t free, total;
    OK(cuMemGetInfo_v2(&free, &total));
    REQUIRE(free == 40u << 20);
}

CHECK(fresh_memory, "fresh memory is 0xFF") {
    use(test_machine(1));
    start();
    unsigned char bytes[100];
    memset(bytes, 0, sizeof bytes);
    OK(cuMemcpyDtoH_v2(bytes, allocate(100), 100));
    for (unsigned char byte : bytes) REQUIRE(byte == 0xFF);
}

CHECK(large_fresh_memory, "a large allocation is 0xFF too, and costs no memory until it is written") {
    use("{\"devices\": [{\"name\": \"Large\", \"compute_capability\": \"9.0\", \"multiprocessors\": 1, \"memory_mib\": 143771}]}");
    start();
    size_t bytes = (size_t)140000 << 20;
    CUdeviceptr address = allocate(bytes);
    unsigned last = 0;
    OK(cuMemcpyDtoH_v2(&last, address + bytes - 4, 4));
    REQUIRE(last == 0xFFFFFFFFu);
    OK(cuMemFree_v2(address));
}

CHECK(double_free, "freeing twice is refused") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(64);
    OK(cuMemFree_v2(address));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(address));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(12345));
}

CHECK(use_after_free, "a copy from freed memory is an illegal address, which sticks to its device only") {
    use(test_machine(2));
    CUcontext first = start(0);
    CUcontext second = start(1);
    OK(cuCtxSetCurrent(first));
    CUdeviceptr gone = allocate(256), other = allocate(256);
    CUstream stream = new_stream();
    OK(cuMemFree_v2(gone));
    OK(cuMemcpyDtoDAsync_v2(other, gone, 256, stream));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
    CUdeviceptr more;
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc_v2(&more, 16));
    OK(cuCtxSetCurrent(second));
    OK(cuMemAlloc_v2(&more, 16));
    OK(cuCtxSynchronize());
    OK(cuDevicePrimaryCtxReset_v2(0));
    OK(cuCtxSetCurrent(first));
    OK(cuMemAlloc_v2(&more, 16));
}

CHECK(copy_past_end, "a copy that reaches past an allocation is an illegal address") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(1000);
    CUstream stream = new_stream();
    OK(cuMemsetD8Async(address, 1, 1000, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuMemsetD8Async(address + 1, 1, 1000, stream));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}

CHECK(memset_widths, "memset writes elements of one, two and four bytes") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(16);
    CUstream stream = new_stream();
    OK(cuMemsetD8Async(address, 0xAB, 4, stream));
    OK(cuMemsetD16Async(address + 4, 0x1234, 2, stream));
    OK(cuMemsetD32Async(address + 8, 0xDEADBEEF, 2, stream));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemsetD32Async(address + 2, 0, 1, stream));
    OK(cuStreamSynchronize(stream));
    unsigned words[4];
    OK(cuMemcpyDtoH_v2(words, address, 16));
    REQUIRE(words[0] == 0xABABABAB && words[1] == 0x12341234 && words[2] == 0xDEADBEEF && words[3] == 0xDEADBEEF);
}

CHECK(unpinned_register, "host memory is registered once and unregistered once") {
    use(test_machine(1));
    start();
    static char memory[8192];
    OK(cuMemHostRegister_v2(memory, sizeof memory, 0));
    RETURNS(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, cuMemHostRegister_v2(memory + 100, 10, 0));
    OK(cuMemHostUnregister(memory));
    RETURNS(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, cuMemHostUnregister(memory));
}

CHECK(pinned_overrun, "a write past pinned memory is found when it is freed") {
    use(test_machine(1));
    start();
    char *memory = (char *)pinned(100);
    memory[100] = 1;
    OK(cuMemFreeHost(memory));
    REQUIRE(found("a write past its end"));
}

CHECK(leaks, "what was not given back is reported") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(1234);
    CUstream stream = new_stream();
    char text[1000];
    REQUIRE(cudasim_report_leaks(text, sizeof text) == 3);
    REQUIRE(strstr(text, "1234 bytes on device 0") && strstr(text, "a stream"));
    OK(cuMemFree_v2(address));
    OK(cuStreamDestroy_v2(stream));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    REQUIRE(cudasim_report_leaks(text, sizeof text) == 0);
}
