// Images, kernels, launches: what runs, what is refused, and what a kernel may touch.
#include "check.h"
#include <cstring>

CHECK(runs, "a kernel runs on what its parameters point to") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    CUdeviceptr values = allocate(40);
    int count = 10, results[10];
    OK(cuMemsetD32Async(values, 41, 10, stream));
    OK(launch(function("add_one"), stream, {&values, &count}));
    OK(cuMemcpyDtoHAsync_v2(results, values, 40, stream));
    REQUIRE(results[0] == 42 && results[9] == 42);
}

CHECK(past_end, "a kernel that reaches past its buffer is an illegal address, with the buffer named") {
    use(test_machine(1));
    start();
    CUdeviceptr values = allocate(256);
    long index = 256;
    CUstream stream = new_stream();
    OK(launch(function("write_at"), stream, {&values, &index}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    REQUIRE(strstr(cudasim_last_problem(), "0 bytes past the end of allocation"));
}

CHECK(into_slack, "a write into the bytes between an allocation and its guard page is found after the run") {
    use(test_machine(1));
    start();
    CUdeviceptr values = allocate(100);
    long index = 100;
    CUstream stream = new_stream();
    OK(launch(function("write_at"), stream, {&values, &index}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    REQUIRE(strstr(cudasim_last_problem(), "a write past its end"));
}

CHECK(before_start, "and a write before its start") {
    use(test_machine(1));
    start();
    CUdeviceptr values = allocate(100);
    long index = -1;
    CUstream stream = new_stream();
    OK(launch(function("write_at"), stream, {&values, &index}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    REQUIRE(strstr(cudasim_last_problem(), "a write before its start"));
}

CHECK(freed_parameter, "a parameter that points to freed memory is an illegal address") {
    use(test_machine(1));
    start();
    CUdeviceptr values = allocate(256);
    int count = 1;
    CUstream stream = new_stream();
    CUfunction add_one = function("add_one");
    OK(cuMemFree_v2(values));
    OK(launch(add_one, stream, {&values, &count}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    REQUIRE(strstr(cudasim_last_problem(), "the freed allocation"));
}

CHECK(host_parameter, "a parameter that points to host memory is one too, unless it is pinned") {
    use(test_machine(1));
    start();
    int *values = (int *)pinned(256), count = 1;
    std::vector<int> pageable(64);
    CUstream stream = new_stream();
    CUfunction add_one = function("add_one");
    values[0] = 1;
    OK(launch(add_one, stream, {&values, &count}));
    OK(cuStreamSynchronize(stream));
    REQUIRE(values[0] == 2);
    int *wrong_values = pageable.data();
    OK(launch(add_one, stream, {&wrong_values, &count}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}

CHECK(peer_parameter, "memory of another device needs peer access") {
    use(test_machine(2));
    CUcontext second = start(1);
    CUdeviceptr there = allocate(64);
    start(0);
    CUstream stream = new_stream();
    CUfunction add_one = function("add_one");
    int count = 16;
    OK(cuCtxEnablePeerAccess(second, 0));
    RETURNS(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, cuCtxEnablePeerAccess(second, 0));
    OK(launch(add_one, stream, {&there, &count}));
    OK(cuStreamSynchronize(stream));
    OK(cuCtxDisablePeerAccess(second));
    RETURNS(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, cuCtxDisablePeerAccess(second));
    OK(launch(add_one, stream, {&there, &count}));
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}

CHECK(kernel_error, "a kernel that fails is a launch failure, with its words") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    OK(launch(function("refuse"), stream, {}));
    RETURNS(CUDA_ERROR_LAUNCH_FAILED, cuStreamSynchronize(stream));
    REQUIRE(strstr(cudasim_last_problem(), "a divergent barrier"));
}

CHECK(limits, "launches past the limits are refused") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    CUfunction add_one = function("add_one");
    CUdeviceptr values = allocate(64);
    int count = 1;
    void *parameters[] = {&values, &count};
    auto launch_with = [&](unsigned grid_y, unsigned block, unsigned block_z, unsigned shared) {
        return cuLaunchKernel(add_one, 1, grid_y, 1, block, 1, block_z, shared, stream, parameters, nullptr);
    };
    OK(launch_with(1, 256, 1, 0));
    RETURNS(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, launch_with(1, 257, 1, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, launch_with(1, 1025, 1, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, launch_with(1, 1, 65, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, launch_with(0, 32, 1, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, launch_with(65536, 32, 1, 0));
    RETURNS(CUDA_ERROR_INVALID_VALUE, launch_with(1, 32, 1, 49153));
    CUfunction_attribute dynamic = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuFuncSetAttribute(add_one, dynamic, 227 * 1024 + 1));
    OK(cuFuncSetAttribute(add_one, dynamic, 227 * 1024));
    OK(launch_with(1, 32, 1, 227 * 1024));
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(add_one, 1, 1, 1, 32, 1, 1, 0, stream, nullptr, nullptr));
    int blocks;
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add_one, 256, 100 * 1024));
    REQUIRE(blocks == 2);
}

CHECK(attributes, "launch attributes are checked against the device") {
    use(test_machine(1));
    start();
    CUfunction add_one = function("add_one");
    CUdeviceptr values = allocate(64);
    int count = 1;
    void *parameters[] = {&values, &count};
    CUlaunchAttribute attribute = {CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, {}, {}};
    attribute.value.clusterDim = {2, 1, 1};
    CUlaunchConfig config = {3, 1, 1, 32, 1, 1, 0, new_stream(), &attribute, 1};
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernelEx(&config, add_one, parameters, nullptr));
    config.gridDimX = 4;
    OK(cuLaunchKernelEx(&config, add_one, parameters, nullptr));
    attribute.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    attribute.value.cooperative = 1;
    config.gridDimX = 100000;
    RETURNS(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, cuLaunchKernelEx(&config, add_one, parameters, nullptr));
    attribute.id = (CUlaunchAttributeID)99;
    RETURNS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernelEx(&config, add_one, parameters, nullptr));
    OK(cuCtxSynchronize());
}

CHECK(unknown_kernel, "a kernel without a host version loads, and its launch says what to do") {
    use(test_machine(1));
    start();
    CUfunction unknown = function("nobody_wrote_this");
    RETURNS(CUDA_ERROR_NOT_SUPPORTED, launch(unknown, new_stream(), {}));
    REQUIRE(strstr(cudasim_last_problem(), "no host version"));
}

CHECK(wrong_device, "a function is launched on its own device only") {
    use(test_machine(2));
    start(1);
    CUstream there = new_stream();
    start(0);
    CUdeviceptr values = allocate(64);
    int count = 1;
    RETURNS(CUDA_ERROR_INVALID_HANDLE, launch(function("add_one"), there, {&values, &count}));
}

CHECK(images, "images that are none, or for another architecture, are refused") {
    use(test_machine(1));
    start();
    CUmodule module;
    RETURNS(CUDA_ERROR_INVALID_IMAGE, cuModuleLoadData(&module, "this is no image at all"));
    const unsigned char fatbin[16] = {0x50, 0xED, 0x55, 0xBA};
    RETURNS(CUDA_ERROR_INVALID_IMAGE, cuModuleLoadData(&module, fatbin));
    const char *newer = ".version 8.0\n.target sm_100\n.address_size 64\n.visible .entry add_one(\n";
    RETURNS(CUDA_ERROR_NO_BINARY_FOR_GPU, cuModuleLoadData(&module, newer));
    const char *older = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry add_one(\n";
    OK(cuModuleLoadData(&module, older));
    CUfunction function;
    RETURNS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&function, module, "add_two"));
    OK(cuModuleGetFunction(&function, module, "add_one"));
    size_t offset = 0, bytes = 0;
    OK(cuFuncGetParamInfo(function, 1, &offset, &bytes));
    REQUIRE(offset == 8 && bytes == 4);
    OK(cuModuleUnload(module));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuFuncLoad(function));
}

CHECK(libraries, "a library's kernels have a function in each context") {
    use(test_machine(2));
    const char *ptx = ".version 8.0\n.target sm_80\n.visible .entry add_one(\n.visible .entry copy_to(\n";
    CUlibrary library;
    CUkernel kernels[2], kernel;
    CUfunction functions[2];
    unsigned count;
    const char *name;
    start(0);
    OK(cuLibraryLoadData(&library, ptx, nullptr, nullptr, 0, nullptr, nullptr, 0));
    OK(cuLibraryGetKernelCount(&count, library));
    OK(cuLibraryEnumerateKernels(kernels, 2, library));
    OK(cuLibraryGetKernel(&kernel, library, "copy_to"));
    OK(cuKernelGetName(&name, kernel));
    REQUIRE(count == 2 && strcmp(name, "copy_to") == 0 && kernels[1] == kernel);
    OK(cuKernelGetFunction(&functions[0], kernel));
    start(1);
    OK(cuKernelGetFunction(&functions[1], kernel));
    REQUIRE(functions[0] != functions[1]);
    OK(cuLibraryUnload(library));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuKernelGetFunction(&functions[0], kernel));
}

CHECK(compiler, "the compiler finds kernels behind macros, and refuses what would not compile") {
    const char *source = "#include \"more.cuh\"\n"
                         "#define BOTH(T, suffix) \\\n"
                         "  extern \"C\" __global__ void __launch_bounds__(256) add_##suffix(T *x) { *x += 1; }\n"
                         "BOTH(float, f32)\nBOTH(half, f16)\n"
                         "// extern \"C\" __global__ void not_this() {}\n"
                         "extern \"C\" { __global__ void in_block(const float *x) {} }\n";
    const char *headers[] = {"extern \"C\" __global__ void from_header() {}\n"}, *names[] = {"more.cuh"};
    const char *options[] = {"-arch=sm_90a", "--std=c++17"};
    nvrtcProgram program;
    REQUIRE(nvrtcCreateProgram(&program, source, "a.cu", 1, headers, names) == NVRTC_SUCCESS);
    REQUIRE(nvrtcCompileProgram(program, 2, options) == NVRTC_SUCCESS);
    size_t bytes;
    REQUIRE(nvrtcGetCUBINSize(program, &bytes) == NVRTC_SUCCESS);
    std::vector<char> cubin(bytes);
    REQUIRE(nvrtcGetCUBIN(program, cubin.data()) == NVRTC_SUCCESS);
    REQUIRE(nvrtcDestroyProgram(&program) == NVRTC_SUCCESS && program == nullptr);
    use(test_machine(1));
    start();
    CUmodule module;
    CUfunction function;
    OK(cuModuleLoadData(&module, cubin.data()));
    for (const char *name : {"add_f32", "add_f16", "in_block", "from_header"}) {
        OK(cuModuleGetFunction(&function, module, name));
    }
    RETURNS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&function, module, "not_this"));
}

CHECK(compiler_conditionals, "the compiler leaves out what conditionals leave out") {
    const char *source = "#ifndef __CUDACC__\n#include \"not_there.h\"\n#else\n#define HAS_CUDA\n#endif\n"
                         "#define SINGLE(name) extern \"C\" __global__ void name() {}\n"
                         "#if defined(HAS_CUDA) && __CUDA_ARCH__ >= 800\nSINGLE(newer)\n"
                         "#elif !(__CUDA_ARCH__ / 10 != 75)\nSINGLE(older)\n#else\nSINGLE(neither)\n#endif\n"
                         "#if 0\n#if 1\nSINGLE(inner)\n#else\nSINGLE(inner_else)\n#endif\n#error not this\n#endif\n"
                         "#ifdef GIVEN\nSINGLE(given)\n#endif\n#undef HAS_CUDA\n#ifdef HAS_CUDA\nSINGLE(undefined)\n#endif\n";
    auto kernels = [&](std::vector<const char *> options) {
        nvrtcProgram program;
        REQUIRE(nvrtcCreateProgram(&program, source, "a.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS);
        REQUIRE(nvrtcCompileProgram(program, (int)options.size(), options.data()) == NVRTC_SUCCESS);
        size_t bytes;
        REQUIRE(nvrtcGetCUBINSize(program, &bytes) == NVRTC_SUCCESS);
        std::string cubin(bytes, 0), found;
        REQUIRE(nvrtcGetCUBIN(program, cubin.data()) == NVRTC_SUCCESS);
        REQUIRE(nvrtcDestroyProgram(&program) == NVRTC_SUCCESS);
        for (size_t at = 0; (at = cubin.find(".text.", at)) != cubin.npos;) found += (cubin.c_str() + (at += 6)) + std::string(" ");
        return found;
    };
    REQUIRE(kernels({"--gpu-architecture=sm_89"}) == "newer ");
    REQUIRE(kernels({"--gpu-architecture=sm_75"}) == "older ");
    REQUIRE(kernels({"--gpu-architecture=sm_89", "-DGIVEN"}) == "newer given ");
    for (const char *broken : {"#if 1\n", "#endif\n", "#else\n", "#if 1 +\n#endif\n", "#if (1\n#endif\n", "#if 1 / 0\n#endif\n"}) {
        const char *options[] = {"-arch=sm_90"};
        nvrtcProgram program;
        REQUIRE(nvrtcCreateProgram(&program, broken, "a.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS);
        REQUIRE(nvrtcCompileProgram(program, 1, options) == NVRTC_ERROR_COMPILATION);
        REQUIRE(nvrtcDestroyProgram(&program) == NVRTC_SUCCESS);
    }
}

CHECK(compiler_errors, "errors of the compiler have a log") {
    const char *broken = "extern \"C\" __global__ void a() {";
    const char *options[] = {"-arch=sm_90"}, *unknown[] = {"-arch=sm_90", "--no-such-option"};
    nvrtcProgram program;
    REQUIRE(nvrtcCreateProgram(&program, broken, "a.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS);
    REQUIRE(nvrtcCompileProgram(program, 1, options) == NVRTC_ERROR_COMPILATION);
    size_t bytes;
    REQUIRE(nvrtcGetProgramLogSize(program, &bytes) == NVRTC_SUCCESS);
    std::string log(bytes, 0);
    REQUIRE(nvrtcGetProgramLog(program, log.data()) == NVRTC_SUCCESS);
    REQUIRE(log.find("a.cu: error") != log.npos);
    REQUIRE(nvrtcCompileProgram(program, 2, unknown) == NVRTC_ERROR_INVALID_OPTION);
    REQUIRE(nvrtcDestroyProgram(&program) == NVRTC_SUCCESS);
}
