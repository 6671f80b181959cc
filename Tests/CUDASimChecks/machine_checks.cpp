// The machine's file, what driver and NVML say of it, links, and faults.
#include "check.h"
#include <cstring>

CHECK(no_machine, "a machine without devices says so") {
    use("{\"devices\": []}");
    RETURNS(CUDA_ERROR_NO_DEVICE, cuInit(0));
    int count;
    RETURNS(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount(&count));
    REQUIRE(nvmlInit_v2() == NVML_ERROR_DRIVER_NOT_LOADED);
}

CHECK(malformed, "a file with a mistake is refused with its place") {
    REQUIRE(cudasim_load_machine("{\"devices\": [}") == 1 && strstr(cudasim_last_problem(), "line 1"));
    REQUIRE(cudasim_load_machine("{\"device\": []}") == 1 && strstr(cudasim_last_problem(), "'device' is not known"));
    REQUIRE(cudasim_load_machine("{\"devices\": [{\"name\": \"x\"}]}") == 1);
    REQUIRE(strstr(cudasim_last_problem(), "devices[0].compute_capability"));
    REQUIRE(cudasim_inject_faults("0:cuMemAlloc_v2:x:2") == 1 && cudasim_inject_faults("0:cuMemAlloc_v2:1:NO_NAME") == 1);
}

CHECK(identity, "devices say that they are simulated, and who they are") {
    use(test_machine(2, "\"cuda_version\": 13000"));
    start();
    char name[64], pci[32];
    CUuuid uuid;
    int value, version;
    size_t bytes;
    CUdevice device;
    OK(cuDeviceGetName(name, sizeof name, 1));
    REQUIRE(strcmp(name, "Test card (simulated)") == 0);
    OK(cuDeviceGetPCIBusId(pci, sizeof pci, 1));
    OK(cuDeviceGetByPCIBusId(&device, pci));
    REQUIRE(device == 1);
    OK(cuDeviceGetUuid_v2(&uuid, 1));
    REQUIRE(uuid.bytes[6] == 0x40 && uuid.bytes[15] == 1);
    OK(cuDeviceTotalMem_v2(&bytes, 0));
    REQUIRE(bytes == 64u << 20);
    OK(cuDriverGetVersion(&version));
    REQUIRE(version == 13000);
    OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
    REQUIRE(value == 9);
    OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
    REQUIRE(value == 227 * 1024);
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuDeviceGetAttribute(&value, (CUdevice_attribute)9999, 0));
    RETURNS(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet(&device, 2));
    const char *text;
    OK(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text));
    REQUIRE(strcmp(text, "out of memory") == 0);
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuGetErrorName((CUresult)12345, &text));
}

CHECK(contexts, "contexts are current per thread, counted, and gone when released") {
    use(test_machine(1));
    CUcontext context = start(), current;
    unsigned flags;
    int active;
    CUdevice device;
    OK(cuCtxPushCurrent_v2(context));
    OK(cuCtxPopCurrent_v2(&current));
    OK(cuCtxGetDevice(&device));
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    REQUIRE(current == context && device == 0 && active == 1);
    OK(cuDevicePrimaryCtxRelease_v2(0));
    RETURNS(CUDA_ERROR_CONTEXT_IS_DESTROYED, cuCtxSynchronize());
    RETURNS(CUDA_ERROR_INVALID_CONTEXT, cuDevicePrimaryCtxRelease_v2(0));
    OK(cuCtxSetCurrent(nullptr));
    RETURNS(CUDA_ERROR_INVALID_CONTEXT, cuCtxSynchronize());
}

CHECK(prohibited, "a card whose mode forbids it, or that another process has, gives no context") {
    CUcontext context;
    use(test_machine(1, "", "\"compute_mode\": \"prohibited\""));
    OK(cuInit(0));
    RETURNS(CUDA_ERROR_DEVICE_UNAVAILABLE, cuDevicePrimaryCtxRetain(&context, 0));
    use(test_machine(1, "", "\"compute_mode\": \"exclusive_process\", \"processes\": [{\"pid\": 1, \"memory_mib\": 1}]"));
    OK(cuInit(0));
    RETURNS(CUDA_ERROR_DEVICE_UNAVAILABLE, cuDevicePrimaryCtxRetain(&context, 0));
}

CHECK(slice, "of a card in slices the driver shows the slice, NVML both") {
    use("{\"devices\": [{\"name\": \"NVIDIA H200\", \"compute_capability\": \"9.0\", \"multiprocessors\": 132, "
        "\"memory_mib\": 1000, \"mig\": {\"profile\": \"1g.18gb\", \"multiprocessors\": 16, \"memory_mib\": 100}}]}");
    start();
    char name[96];
    int count;
    OK(cuDeviceGetName(name, sizeof name, 0));
    REQUIRE(strcmp(name, "NVIDIA H200 MIG 1g.18gb (simulated)") == 0);
    OK(cuDeviceGetAttribute(&count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
    REQUIRE(count == 16);
    nvmlDevice_t card, part;
    unsigned current, pending;
    nvmlMemory_t memory;
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS && nvmlDeviceGetHandleByIndex_v2(0, &card) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetMigMode(card, &current, &pending) == NVML_SUCCESS && current == 1);
    REQUIRE(nvmlDeviceGetMigDeviceHandleByIndex(card, 0, &part) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetMigDeviceHandleByIndex(card, 1, &part) == NVML_ERROR_NOT_FOUND);
    REQUIRE(nvmlDeviceGetMemoryInfo(card, &memory) == NVML_SUCCESS && memory.total == 1000ull << 20);
    REQUIRE(nvmlDeviceGetMemoryInfo(part, &memory) == NVML_SUCCESS && memory.total == 100ull << 20);
    REQUIRE(nvmlDeviceGetUUID(part, name, sizeof name) == NVML_SUCCESS && strncmp(name, "MIG-", 4) == 0);
}

CHECK(topology, "links are what the file says, in driver and NVML") {
    use(test_machine(3, "\"every_link\": {\"peer\": \"none\"}, \"links\": [{\"between\": [0, 1], \"peer\": \"ok\", "
                        "\"nvlinks\": 4, \"ancestor\": \"single\"}]"));
    CUcontext third = start(2);
    start(0);
    int can, value, status;
    OK(cuDeviceCanAccessPeer(&can, 0, 1));
    REQUIRE(can == 1);
    OK(cuDeviceCanAccessPeer(&can, 0, 2));
    REQUIRE(can == 0);
    OK(cuDeviceGetP2PAttribute(&value, CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, 0, 1));
    REQUIRE(value == 1);
    RETURNS(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, cuCtxEnablePeerAccess(third, 0));
    nvmlDevice_t devices[3];
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    for (unsigned i = 0; i < 3; ++i) REQUIRE(nvmlDeviceGetHandleByIndex_v2(i, &devices[i]) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetP2PStatus(devices[0], devices[1], 2, &status) == NVML_SUCCESS && status == 0);
    REQUIRE(nvmlDeviceGetP2PStatus(devices[0], devices[2], 0, &status) == NVML_SUCCESS && status == 5);
    REQUIRE(nvmlDeviceGetTopologyCommonAncestor(devices[0], devices[1], &value) == NVML_SUCCESS && value == 10);
    REQUIRE(nvmlDeviceGetNvLinkState(devices[0], 3, &value) == NVML_SUCCESS && value == 1);
    REQUIRE(nvmlDeviceGetNvLinkState(devices[0], 4, &value) == NVML_ERROR_NOT_SUPPORTED);
}

CHECK(monitoring, "NVML tells memory in use, processes, and what a card lacks") {
    use(test_machine(1, "", "\"processes\": [{\"pid\": 4711, \"memory_mib\": 8}], \"pcie_width\": 4"));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    nvmlDevice_t device;
    nvmlMemory_t memory;
    nvmlProcessInfo_t process;
    unsigned count = 0, width;
    int mode;
    char text[96];
    start();
    allocate(1 << 20);
    REQUIRE(nvmlDeviceGetHandleByIndex_v2(0, &device) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetMemoryInfo(device, &memory) == NVML_SUCCESS && memory.used == 9u << 20);
    REQUIRE(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, &process) == NVML_ERROR_INSUFFICIENT_SIZE && count == 1);
    REQUIRE(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, &process) == NVML_SUCCESS && process.pid == 4711);
    REQUIRE(nvmlDeviceGetCurrPcieLinkWidth(device, &width) == NVML_SUCCESS && width == 4);
    REQUIRE(nvmlDeviceGetEccMode(device, &mode, &mode) == NVML_ERROR_NOT_SUPPORTED);
    REQUIRE(nvmlDeviceGetName(device, text, 3) == NVML_ERROR_INSUFFICIENT_SIZE);
    REQUIRE(nvmlSystemGetDriverVersion(text, sizeof text) == NVML_SUCCESS && strstr(text, "(simulated)"));
}

CHECK(nth_call, "the n-th call of a function fails as the script says, on that device") {
    use(test_machine(2));
    REQUIRE(cudasim_inject_faults("1:cuMemAlloc_v2:2:2;*:cuStreamCreateWithPriority:1:999") == 0);
    start(1);
    CUdeviceptr address;
    CUstream stream;
    OK(cuMemAlloc_v2(&address, 64));
    RETURNS(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 64));
    OK(cuMemAlloc_v2(&address, 64));
    RETURNS(CUDA_ERROR_UNKNOWN, cuStreamCreateWithPriority(&stream, 0, 0));
    RETURNS(CUDA_ERROR_UNKNOWN, cuMemAlloc_v2(&address, 64));
    start(0);
    OK(cuMemAlloc_v2(&address, 64));
}

CHECK(failing_operation, "an operation fails as it runs: kernels by name, copies, with every kind of error") {
    const CUresult codes[] = {CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_ECC_UNCORRECTABLE};
    for (CUresult code : codes) {
        use(test_machine(2));
        REQUIRE(cudasim_inject_faults(("0:run:kernel:add_one:2:" + std::to_string((int)code)).c_str()) == 0);
        start();
        CUstream stream = new_stream();
        CUdeviceptr values = allocate(64);
        CUfunction add_one = function("add_one");
        int count = 1;
        OK(launch(add_one, stream, {&values, &count}));
        OK(cuStreamSynchronize(stream));
        OK(launch(add_one, stream, {&values, &count}));
        RETURNS(code, cuStreamSynchronize(stream));
        start(1);
        OK(cuCtxSynchronize());
    }
}

CHECK(lost_device, "a device that falls off the bus stays away, from NVML too, and the other goes on") {
    use(test_machine(2, "\"faults\": [{\"device\": 0, \"call\": \"run:memset\", \"nth\": 2, \"lost\": true}]"));
    REQUIRE(nvmlInit_v2() == NVML_SUCCESS);
    start();
    CUstream stream = new_stream();
    CUdeviceptr address = allocate(64);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuMemsetD8Async(address, 0, 64, stream));
    RETURNS(CUDA_ERROR_UNKNOWN, cuStreamSynchronize(stream));
    RETURNS(CUDA_ERROR_UNKNOWN, cuDevicePrimaryCtxReset_v2(0));
    nvmlDevice_t device;
    unsigned celsius;
    REQUIRE(nvmlDeviceGetHandleByIndex_v2(0, &device) == NVML_SUCCESS);
    REQUIRE(nvmlDeviceGetTemperature(device, 0, &celsius) == NVML_ERROR_GPU_IS_LOST);
    start(1);
    stream = new_stream();
    address = allocate(64);
    OK(cuMemsetD8Async(address, 0, 64, stream));
    OK(cuStreamSynchronize(stream));
}

static CUresult copy_over(const char *peer, bool direct, unsigned *word) {
    use(test_machine(2, std::string("\"every_link\": {\"peer\": \"") + peer + "\"}"));
    CUcontext second = start(1);
    CUdeviceptr there = allocate(64);
    CUcontext first = start(0);
    CUdeviceptr here = allocate(64);
    CUstream stream = new_stream();
    if (direct) OK(cuCtxEnablePeerAccess(second, 0));
    OK(cuMemsetD32Async(here, 1, 16, stream));
    OK(cuMemcpyPeerAsync(there, second, here, first, 64, stream));
    CUresult result = cuStreamSynchronize(stream);
    OK(cuCtxSetCurrent(second));
    OK(cuMemcpyDtoH_v2(word, there, 4));
    return result;
}

CHECK(bad_links, "a corrupt link changes what goes over it directly, a dead one fails; through the host both work") {
    unsigned word;
    OK(copy_over("ok", true, &word));
    REQUIRE(word == 1);
    OK(copy_over("corrupt", true, &word));
    REQUIRE(word != 1);
    OK(copy_over("corrupt", false, &word));
    REQUIRE(word == 1);
    RETURNS(CUDA_ERROR_NVLINK_UNCORRECTABLE, copy_over("dead", true, &word));
    OK(copy_over("dead", false, &word));
    REQUIRE(word == 1);
}

CHECK(foreign_copy, "a plain device copy to another device needs peer access") {
    use(test_machine(2));
    start(1);
    CUdeviceptr there = allocate(64);
    start(0);
    CUdeviceptr here = allocate(64);
    CUstream stream = new_stream();
    OK(cuMemcpyDtoDAsync_v2(there, here, 64, stream));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}

CHECK(traces, "the trace tells calls, operations and results") {
    use(test_machine(1));
    cudasim_trace(1);
    start();
    CUdeviceptr address;
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2(&address, 0));
    OK(cuMemsetD8Async(allocate(64), 0, 64, nullptr));
    OK(cuCtxSynchronize());
    std::string text(cudasim_read_trace(nullptr, 0), 0);
    cudasim_read_trace(text.data(), text.size());
    cudasim_trace(0);
    REQUIRE(text.find("call: cuMemAlloc_v2 device 0: CUDA_ERROR_INVALID_VALUE: an allocation of no bytes") != text.npos);
    REQUIRE(text.find("memset of 64 bytes") != text.npos);
}

CHECK(visible_devices, "the list of visible devices is read as the driver reads it, and NVML takes no notice") {
    std::string card = "{ \"name\": \"card\", \"compute_capability\": \"8.9\", \"multiprocessors\": 4, \"memory_mib\": 64, ";
    std::string machine = "{ \"name\": \"three\", \"devices\": [" + card + "\"uuid\": \"GPU-aa000000-0000-4000-8000-000000000000\", \"pci\": \"0000:41:00.0\" }, " +
                          card + "\"uuid\": \"GPU-ab000000-0000-4000-8000-000000000000\", \"pci\": \"0000:01:00.0\" }, " +
                          card + "\"pci\": \"0000:81:00.0\", \"mig\": { \"profile\": \"1g\", \"uuid\": \"MIG-cc000000-0000-4000-8000-000000000000\", "
                                 "\"gpu_instance\": 7, \"multiprocessors\": 1, \"memory_mib\": 8 } }] }";
    // What CUDA shows, by the first byte of each UUID.
    auto shown = [&](const char *list, const char *order) {
        cudasim_set_visible_devices(list, order);
        use(machine);
        std::string found;
        CUresult started = cuInit(0);
        REQUIRE(started == CUDA_SUCCESS || started == CUDA_ERROR_NO_DEVICE);
        int count = 0;
        if (started == CUDA_SUCCESS) OK(cuDeviceGetCount(&count));
        for (int i = 0; i < count; ++i) {
            CUuuid uuid;
            OK(cuDeviceGetUuid_v2(&uuid, i));
            char text[4];
            snprintf(text, sizeof text, "%02x ", (unsigned char)uuid.bytes[0]);
            found += text;
        }
        unsigned cards;
        nvmlDevice_t first;
        nvmlPciInfo_t place;
        REQUIRE(nvmlInit_v2() == NVML_SUCCESS && nvmlDeviceGetCount_v2(&cards) == NVML_SUCCESS && cards == 3);
        REQUIRE(nvmlDeviceGetHandleByIndex_v2(0, &first) == NVML_SUCCESS);
        REQUIRE(nvmlDeviceGetPciInfo_v3(first, &place) == NVML_SUCCESS && place.bus == 1);
        unsigned index;
        REQUIRE(nvmlDeviceGetIndex(first, &index) == NVML_SUCCESS && index == 0);
        return found;
    };
    struct {
        const char *list, *order, *shown;
    } cases[] = {
        {nullptr, nullptr, "aa ab "}, {nullptr, "PCI_BUS_ID", "ab aa "}, {"", nullptr, ""}, {"1", nullptr, "ab "},
        {"1", "PCI_BUS_ID", "aa "}, {"1,0", nullptr, "ab aa "}, {"0,9,1", nullptr, "aa "}, {"0,-1,1", nullptr, "aa "},
        {"1x,0", nullptr, "ab aa "}, {"0,0", nullptr, ""}, {"GPU-ab", nullptr, "ab "}, {"GPU-AB,GPU-aa", nullptr, "ab aa "},
        {"GPU-a", nullptr, ""}, {"GPU-ab,0", nullptr, "ab "}, {"0,GPU-ab", nullptr, "aa "}, {"MIG-cc", nullptr, "cc "},
        {"0,2", nullptr, "cc "}, {"MIG-GPU-00000000-0000-4000-8000-000000000002/7/0", nullptr, "cc "},
        {"MIG-GPU-00000000-0000-4000-8000-000000000002/6/0", nullptr, ""},
    };
    for (const auto &one : cases) {
        std::string got = shown(one.list, one.order);
        if (got != one.shown) wrong(__FILE__, __LINE__, std::string(one.list ? one.list : "unset") + " shows " + got);
    }
    cudasim_set_visible_devices(nullptr, nullptr);
    use(test_machine(1));
}
