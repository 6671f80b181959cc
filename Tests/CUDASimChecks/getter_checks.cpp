// What is only asked: objects' properties, NVML's handles and numbers; and that things take the time they are told to.
#include "check.h"
#include <chrono>
#include <cstring>

namespace {

template <class Body> double seconds(Body body) {
    auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A card of which everything is said.
const char *const whole_card =
    "\"uuid\": \"GPU-12345678-0000-4000-8000-000000000000\", \"pci\": \"0001:65:00.0\", \"compute_mode\": \"exclusive_process\", "
    "\"numa_node\": 1, \"display\": true, \"persistence\": false, \"ecc\": true, \"ecc_corrected\": 5, \"ecc_uncorrected\": 2, "
    "\"remapped_rows\": 3, \"retired_pending\": 1, \"throttle_reasons\": 72, \"temperature\": 83, \"power_watts\": 301, "
    "\"power_limit_watts\": 350, \"pcie_generation\": 1, \"pcie_width\": 8, \"pcie_max_generation\": 5, \"pcie_max_width\": 16, "
    "\"processes\": [{\"pid\": 7, \"memory_mib\": 16}]";

template <class Answer> Answer answer(nvmlReturn_t (*ask)(nvmlDevice_t, Answer *), nvmlDevice_t device) {
    Answer value;
    REQUIRE(ask(device, &value) == NVML_SUCCESS);
    return value;
}

} // namespace

CHECK(stream_getters, "a stream tells its context, flags and priority, which is cut to the range") {
    use(test_machine(2));
    CUcontext other = start(1), context = start(0), found = nullptr;
    OK(cuCtxGetCurrent(&found));
    REQUIRE(found == context);
    OK(cuCtxSetCurrent(nullptr));
    OK(cuCtxGetCurrent(&found));
    REQUIRE(found == nullptr);
    OK(cuCtxSetCurrent(context));
    int least, greatest, priority;
    OK(cuCtxGetStreamPriorityRange(&least, &greatest));
    REQUIRE(least == 0 && greatest < 0);
    CUstream stream;
    unsigned flags;
    for (int asked : {0, greatest, greatest - 10, 3}) {
        OK(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, asked));
        OK(cuStreamGetPriority(stream, &priority));
        REQUIRE(priority == (asked > 0 ? 0 : asked < greatest ? greatest : asked));
        OK(cuStreamGetFlags(stream, &flags));
        OK(cuStreamGetCtx(stream, &found));
        REQUIRE(flags == CU_STREAM_NON_BLOCKING && found == context && found != other);
        OK(cuStreamDestroy_v2(stream));
    }
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuStreamGetFlags(stream, &flags));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuStreamCreate(&stream, 8));
}

CHECK(address_getters, "an address tells its allocation; pinned memory has an address on the device") {
    use(test_machine(1));
    start();
    CUdeviceptr address = allocate(1000), copy = allocate(1000), base = 0;
    size_t bytes = 0;
    OK(cuMemGetAddressRange_v2(&base, &bytes, address + 999));
    REQUIRE(base == address && bytes == 1000);
    RETURNS(CUDA_ERROR_NOT_FOUND, cuMemGetAddressRange_v2(&base, &bytes, 64));
    unsigned *host = (unsigned *)pinned(64);
    host[0] = 77;
    CUdeviceptr seen;
    OK(cuMemHostGetDevicePointer_v2(&seen, host, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetDevicePointer_v2(&seen, host, 1));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetDevicePointer_v2(&seen, &seen, 0));
    OK(cuMemcpyHtoD_v2(address, host, 64));
    OK(cuMemcpyDtoD_v2(copy, address, 64));
    unsigned got = 0;
    OK(cuMemcpyDtoH_v2(&got, copy, 4));
    REQUIRE(got == 77);
}

CHECK(function_getters, "a function tells its name and limits") {
    use(test_machine(1));
    start();
    CUfunction found = function("add_one");
    const char *name;
    int value;
    OK(cuFuncGetName(&name, found));
    REQUIRE(strcmp(name, "add_one") == 0);
    OK(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, found));
    REQUIRE(value > 0 && value <= 1024);
    OK(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_BINARY_VERSION, found));
    REQUIRE(value == 90);
    OK(cuFuncSetAttribute(found, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000));
    OK(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, found));
    REQUIRE(value == 100000);
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuFuncGetAttribute(&value, (CUfunction_attribute)99, found));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuFuncGetName(&name, (CUfunction)0x10));
}

CHECK(nvml_start, "NVML answers between its first start and its last end") {
    use(test_machine(1));
    while (nvmlShutdown() == NVML_SUCCESS) {
    }
    unsigned count;
    REQUIRE(nvmlDeviceGetCount_v2(&count) == NVML_ERROR_UNINITIALIZED);
    REQUIRE(strstr(nvmlErrorString(NVML_ERROR_UNINITIALIZED), "nvmlInit"));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS && nvmlInit_v2() == NVML_SUCCESS && nvmlShutdown() == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetCount_v2(&count) == NVML_SUCCESS && count == 1);
    char text[80];
    REQUIRE(nvmlSystemGetNVMLVersion(text, sizeof text) == NVML_SUCCESS && strstr(text, "(simulated)"));
    REQUIRE(nvmlSystemGetDriverVersion(text, 4) == NVML_ERROR_INSUFFICIENT_SIZE);
    int version;
    REQUIRE(nvmlSystemGetCudaDriverVersion_v2(&version) == NVML_SUCCESS && version == 12080);
    REQUIRE(nvmlShutdown() == NVML_SUCCESS && nvmlShutdown() == NVML_ERROR_UNINITIALIZED);
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
}

CHECK(nvml_handles, "a card is found by its UUID and by its place") {
    use(test_machine(1, "", whole_card));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    nvmlDevice_t card, same;
    REQUIRE(nvmlDeviceGetHandleByIndex_v2(0, &card) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetHandleByIndex_v2(1, &same) == NVML_ERROR_INVALID_ARGUMENT);
    REQUIRE(nvmlDeviceGetHandleByUUID("GPU-12345678-0000-4000-8000-000000000000", &same) == NVML_SUCCESS && same == card);
    REQUIRE(nvmlDeviceGetHandleByUUID("GPU-12345678", &same) == NVML_ERROR_NOT_FOUND);
    for (const char *place : {"00000001:65:00.0", "0001:65:00.0"}) {
        same = nullptr;
        REQUIRE(nvmlDeviceGetHandleByPciBusId_v2(place, &same) == NVML_SUCCESS && same == card);
    }
    REQUIRE(nvmlDeviceGetHandleByPciBusId_v2("0000:65:00.0", &same) == NVML_ERROR_NOT_FOUND);
    REQUIRE(nvmlDeviceGetHandleByUUID(nullptr, &same) == NVML_ERROR_INVALID_ARGUMENT);
}

CHECK(nvml_answers, "NVML gives every number of the machine's file") {
    use(test_machine(1, "", whole_card));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    nvmlDevice_t card;
    REQUIRE(nvmlDeviceGetHandleByIndex_v2(0, &card) == NVML_SUCCESS);
    REQUIRE(answer(nvmlDeviceGetComputeMode, card) == 3 && answer(nvmlDeviceGetPersistenceMode, card) == 0);
    REQUIRE(answer(nvmlDeviceGetDisplayActive, card) == 1 && answer(nvmlDeviceGetDisplayMode, card) == 1);
    REQUIRE(answer(nvmlDeviceGetMinorNumber, card) == 0 && answer(nvmlDeviceGetNumaNodeId, card) == 1);
    REQUIRE(answer(nvmlDeviceGetRetiredPagesPendingStatus, card) == 1);
    REQUIRE(answer(nvmlDeviceGetCurrentClocksThrottleReasons, card) == 72);
    REQUIRE(answer(nvmlDeviceGetPowerUsage, card) == 301000 && answer(nvmlDeviceGetEnforcedPowerLimit, card) == 350000);
    REQUIRE(answer(nvmlDeviceGetPowerManagementDefaultLimit, card) == 350000);
    REQUIRE(answer(nvmlDeviceGetCurrPcieLinkGeneration, card) == 1 && answer(nvmlDeviceGetCurrPcieLinkWidth, card) == 8);
    REQUIRE(answer(nvmlDeviceGetMaxPcieLinkGeneration, card) == 5 && answer(nvmlDeviceGetMaxPcieLinkWidth, card) == 16);
    REQUIRE(answer(nvmlDeviceGetMaxMigDeviceCount, card) == 0);
    REQUIRE(answer(nvmlDeviceGetBAR1MemoryInfo, card).bar1Total > 0);
    int major, minor;
    REQUIRE(nvmlDeviceGetCudaComputeCapability(card, &major, &minor) == NVML_SUCCESS && major == 9 && minor == 0);
    nvmlMemory_v2_t memory = {};
    REQUIRE(nvmlDeviceGetMemoryInfo_v2(card, &memory) == NVML_ERROR_INVALID_ARGUMENT);
    memory.version = sizeof memory | 2u << 24;
    REQUIRE(nvmlDeviceGetMemoryInfo_v2(card, &memory) == NVML_SUCCESS);
    REQUIRE(memory.total == 64u << 20 && memory.used == 16u << 20 && memory.free == 48u << 20);
    unsigned count = 0;
    nvmlProcessInfo_t process;
    REQUIRE(nvmlDeviceGetComputeRunningProcesses_v3(card, &count, nullptr) == NVML_ERROR_INSUFFICIENT_SIZE && count == 1);
    REQUIRE(nvmlDeviceGetComputeRunningProcesses_v3(card, &count, &process) == NVML_SUCCESS && process.pid == 7);
    REQUIRE(nvmlDeviceGetGraphicsRunningProcesses_v3(card, &count, &process) == NVML_SUCCESS && count == 0);
    unsigned long long errors;
    REQUIRE(nvmlDeviceGetTotalEccErrors(card, 0, 0, &errors) == NVML_SUCCESS && errors == 5);
    REQUIRE(nvmlDeviceGetTotalEccErrors(card, 1, 0, &errors) == NVML_SUCCESS && errors == 2);
    unsigned corrected, uncorrected, pending, failed;
    REQUIRE(nvmlDeviceGetRemappedRows(card, &corrected, &uncorrected, &pending, &failed) == NVML_SUCCESS);
    REQUIRE(corrected == 3 && pending == 1 && failed == 0);
    unsigned instance;
    REQUIRE(nvmlDeviceGetGpuInstanceId(card, &instance) == NVML_ERROR_NOT_SUPPORTED);
    REQUIRE(nvmlDeviceGetComputeInstanceId(card, &instance) == NVML_ERROR_NOT_SUPPORTED);
}

CHECK(nvml_links, "an NVLink tells its version and what is at its end") {
    use(test_machine(2, "\"every_link\": {\"peer\": \"ok\", \"nvlinks\": 2, \"nvlink_version\": 3}"));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    nvmlDevice_t cards[2];
    unsigned version;
    nvmlPciInfo_t end, other;
    for (unsigned i = 0; i < 2; ++i) REQUIRE(nvmlDeviceGetHandleByIndex_v2(i, &cards[i]) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetPciInfo_v3(cards[1], &other) == NVML_SUCCESS);
    for (unsigned link = 0; link < 2; ++link) {
        REQUIRE(nvmlDeviceGetNvLinkVersion(cards[0], link, &version) == NVML_SUCCESS && version == 3);
        REQUIRE(nvmlDeviceGetNvLinkRemotePciInfo_v2(cards[0], link, &end) == NVML_SUCCESS);
        REQUIRE(strcmp(end.busId, other.busId) == 0);
    }
    REQUIRE(nvmlDeviceGetNvLinkVersion(cards[0], 2, &version) == NVML_ERROR_NOT_SUPPORTED);
}

CHECK(delays, "a call, an operation and a link take the time that the machine's file gives them") {
    use(test_machine(2, "\"every_link\": {\"peer\": \"ok\", \"delay_us\": 60000}"));
    CUcontext second = start(1), first = start(0);
    CUdeviceptr from = allocate(64);
    OK(cuCtxSetCurrent(second));
    CUdeviceptr to = allocate(64);
    CUstream stream = new_stream();
    REQUIRE(seconds([&] {
                OK(cuMemcpyPeerAsync(to, second, from, first, 64, stream));
                OK(cuStreamSynchronize(stream));
            }) >= 0.06);
    REQUIRE(cudasim_inject_faults("[{\"call\": \"cuMemAlloc_v2\", \"delay_ms\": 50}, {\"call\": \"run:memset\", \"delay_ms\": 50}]") == 0);
    REQUIRE(seconds([] { allocate(64); }) >= 0.05);
    REQUIRE(seconds([&] {
                OK(cuMemsetD8Async(to, 1, 64, stream));
                OK(cuStreamSynchronize(stream));
            }) >= 0.05);
    // A reset machine has its own delays still, and no injected ones.
    cudasim_reset();
    start();
    allocate(64);
    REQUIRE(cudasim_report_leaks(nullptr, 0) == 2);
}
