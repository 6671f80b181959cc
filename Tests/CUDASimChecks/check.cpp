#include "check.h"
#include "cudasim_checks.h"
#include <cstdio>
#include <cstring>

std::vector<Check> &all_checks() {
    static std::vector<Check> checks;
    return checks;
}

void wrong(const char *file, int line, const std::string &what) {
    const char *name = strrchr(file, '/');
    throw std::string(name ? name + 1 : file) + ":" + std::to_string(line) + ": " + what;
}

void wrong_result(const char *file, int line, const char *call, CUresult expected, CUresult got) {
    const char *a = "?", *b = "?";
    cuGetErrorName(expected, &a);
    cuGetErrorName(got, &b);
    wrong(file, line, std::string(call) + ": expected " + a + ", got " + b + " (" + cudasim_last_problem() + ")");
}

std::string test_machine(int cards, const std::string &more, const std::string &card) {
    std::string machine = "{\"name\": \"checks\", " + more + (more.empty() ? "" : ", ") + "\"devices\": [{\"count\": " +
                          std::to_string(cards) + ", \"name\": \"Test card\", \"compute_capability\": \"9.0\", " +
                          "\"multiprocessors\": 4, \"memory_mib\": 64" + (card.empty() ? "" : ", ") + card + "}]";
    if (more.find("every_link") == more.npos) machine += ", \"every_link\": {\"peer\": \"ok\"}";
    return machine + "}";
}

void use(const std::string &machine) {
    if (cudasim_load_machine(machine.c_str()) != 0) wrong("check.cpp", 0, cudasim_last_problem());
}

CUcontext start(int device) {
    CUcontext context;
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, device));
    OK(cuCtxSetCurrent(context));
    return context;
}

bool found(const char *words) {
    for (unsigned i = 0; const char *finding = cudasim_finding(i); ++i) {
        if (strstr(finding, words)) return true;
    }
    return false;
}

CUdeviceptr allocate(size_t bytes) {
    CUdeviceptr address = 0;
    OK(cuMemAlloc_v2(&address, bytes));
    return address;
}

CUstream new_stream() {
    CUstream stream;
    OK(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, 0));
    return stream;
}

CUevent new_event() {
    CUevent event;
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    return event;
}

void *pinned(size_t bytes) {
    void *address;
    OK(cuMemHostAlloc(&address, bytes, 0));
    return address;
}

// Kernels.

static int add_one(const simt_launch *launch, char *, unsigned long) {
    int *values = *(int **)launch->params[0], count = *(int *)launch->params[1];
    for (int i = 0; i < count; ++i) values[i] += 1;
    return 0;
}

static int copy_to(const simt_launch *launch, char *, unsigned long) {
    int *to = *(int **)launch->params[0], count = *(int *)launch->params[2];
    const int *from = *(const int **)launch->params[1];
    for (int i = 0; i < count; ++i) to[i] = from[i];
    return 0;
}

static int write_at(const simt_launch *launch, char *, unsigned long) {
    volatile char *bytes = *(volatile char **)launch->params[0];
    bytes[*(long *)launch->params[1]] = 7;
    return 0;
}

static int refuse(const simt_launch *, char *error, unsigned long error_size) {
    snprintf(error, error_size, "a divergent barrier");
    return 1;
}

static const unsigned two_sizes[] = {8, 4}, three_sizes[] = {8, 8, 4}, index_sizes[] = {8, 8};
static const simt_kernel kernels[] = {
    {"add_one", 2, two_sizes, 256, add_one},
    {"copy_to", 3, three_sizes, 256, copy_to},
    {"write_at", 2, index_sizes, 256, write_at},
    {"refuse", 0, nullptr, 256, refuse},
};

static const Registration *register_kernels() {
    for (const simt_kernel &kernel : kernels) cudasim_register_kernel(&kernel);
    return nullptr;
}

static const Registration *const kernels_are_registered = register_kernels();

static std::vector<char> compile(const char *source) {
    nvrtcProgram program;
    const char *options[] = {"--gpu-architecture=sm_90"};
    REQUIRE(nvrtcCreateProgram(&program, source, "checks.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS);
    REQUIRE(nvrtcCompileProgram(program, 1, options) == NVRTC_SUCCESS);
    size_t bytes = 0;
    REQUIRE(nvrtcGetCUBINSize(program, &bytes) == NVRTC_SUCCESS);
    std::vector<char> cubin(bytes);
    REQUIRE(nvrtcGetCUBIN(program, cubin.data()) == NVRTC_SUCCESS);
    REQUIRE(nvrtcDestroyProgram(&program) == NVRTC_SUCCESS);
    return cubin;
}

CUfunction function(const char *name) {
    std::string source = std::string("extern \"C\" __global__ void ") + name + "() {}";
    std::vector<char> cubin = compile(source.c_str());
    CUmodule module;
    CUfunction function;
    OK(cuModuleLoadData(&module, cubin.data()));
    OK(cuModuleGetFunction(&function, module, name));
    return function;
}

CUresult launch(CUfunction function, CUstream stream, std::vector<void *> parameters, unsigned grid, unsigned block) {
    CUlaunchConfig config = {grid, 1, 1, block, 1, 1, 0, stream, nullptr, 0};
    return cuLaunchKernelEx(&config, function, parameters.data(), nullptr);
}

// The interface.

unsigned cudasim_check_count(void) { return (unsigned)all_checks().size(); }
const char *cudasim_check_name(unsigned index) { return all_checks()[index].name; }

const char *cudasim_check_run(unsigned index) {
    static std::string problem;
    (void)kernels_are_registered;
    try {
        all_checks()[index].run();
        return nullptr;
    } catch (const std::string &what) {
        problem = what;
        return problem.c_str();
    }
}
