// Runs the checks of Tests/KernelChecks on a card: conformance of dev.cuh first, then every kernel.
//
//     check-on-card CUBINS [NAME]     CUBINS: what Tools/cuda/kernelc.py made: kernels-KEY, or one architecture's folder
//                                     NAME: only checks whose name contains it
//
// Each launch runs three times on the same memory and must give the same bytes. The driver is opened at run time
// (FACET_CUDA_DRIVER names another library); Tools/cuda/check-on-card/build.sh builds this.
#include "kernel_checks.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace {

using address = unsigned long long;

// The driver's functions that this needs; opaque handles are pointers.
struct driver {
    int (*init)(unsigned);
    int (*device_get)(int *, int);
    int (*device_name)(char *, int, int);
    int (*device_attribute)(int *, int, int);
    int (*retain)(void **, int);
    int (*set_current)(void *);
    int (*synchronize)();
    int (*load)(void **, const void *);
    int (*function)(void **, void *, const char *);
    int (*set_attribute)(void *, int, int);
    int (*allocate)(address *, size_t);
    int (*release)(address);
    int (*upload)(address, const void *, size_t);
    int (*download)(void *, address, size_t);
    int (*launch)(
        void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
    int (*error_name)(int, const char **);
};

constexpr int max_dynamic_shared = 8;               // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr int capability_major = 75, capability_minor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

struct card {
    driver cu = {};
    int major = 0, minor = 0;
    bool lacks_kernel = false; // that its architecture has not: tensor cores multiply bfloat16 from Ampere on
    std::vector<void *> modules;
    std::map<const void *, size_t> pieces;
};

card &the_card(void *context) { return *(card *)context; }

int report(const card &c, int status, const char *what, char *error, size_t error_size) {
    if (status == 0) return 0;
    const char *name = "an unknown error";
    c.cu.error_name(status, &name);
    snprintf(error, error_size, "%s: %s", what, name);
    return status;
}

int take(void *context, size_t byte_count, void **memory, char *error, size_t error_size) {
    card &c = the_card(context);
    address at = 0;
    int status = c.cu.allocate(&at, byte_count ? byte_count : 1);
    *memory = (void *)at;
    if (status == 0) c.pieces[*memory] = byte_count;
    return report(c, status, "cuMemAlloc", error, error_size);
}

int give_back(void *context, void *memory, char *error, size_t error_size) {
    card &c = the_card(context);
    c.pieces.erase(memory);
    return report(c, c.cu.release((address)memory), "cuMemFree", error, error_size);
}

int upload(void *context, void *memory, const void *bytes, size_t byte_count, char *error, size_t error_size) {
    card &c = the_card(context);
    int status = byte_count ? c.cu.upload((address)memory, bytes, byte_count) : 0;
    return report(c, status, "cuMemcpyHtoD", error, error_size);
}

int download(void *context, const void *memory, void *bytes, size_t byte_count, char *error, size_t error_size) {
    card &c = the_card(context);
    int status = byte_count ? c.cu.download(bytes, (address)memory, byte_count) : 0;
    return report(c, status, "cuMemcpyDtoH", error, error_size);
}

using contents = std::vector<std::vector<unsigned char>>;

contents snapshot(card &c) {
    contents all;
    for (auto &[memory, byte_count] : c.pieces) {
        all.emplace_back(byte_count);
        if (byte_count) c.cu.download(all.back().data(), (address)memory, byte_count);
    }
    return all;
}

void restore(card &c, const contents &all) {
    size_t i = 0;
    for (auto &[memory, byte_count] : c.pieces) {
        if (byte_count) c.cu.upload((address)memory, all[i].data(), byte_count);
        ++i;
    }
}

void *function_named(card &c, const char *name) {
    void *found = nullptr;
    for (void *module : c.modules) {
        if (c.cu.function(&found, module, name) == 0) return found;
    }
    return nullptr;
}

// Whether a kernel was left out because the card has no instruction for it.
bool lacks(const card &c, const char *name) {
    auto has = [name](const char *part) { return strstr(name, part) != nullptr; };
    bool multiplies = has("product_codes") || has("conform_mma_fp8");
    bool narrows = has("quantize_rows") || has("finish_codes") || has("conform_narrow_fp8");
    int capability = c.major * 10 + c.minor;
    if (multiplies) return capability != 89 && c.major < 12;
    if (narrows) return capability < 89;
    return c.major < 8 && has("bf16");
}

int launch(
    void *context, const char *name, const unsigned grid[3], const unsigned block[3], unsigned shared_bytes,
    void **params, char *error, size_t error_size
) {
    card &c = the_card(context);
    void *function = function_named(c, name);
    if (!function) {
        c.lacks_kernel = lacks(c, name);
        snprintf(error, error_size, "no cubin has %s", name);
        return 1;
    }
    if (shared_bytes > 48 * 1024) c.cu.set_attribute(function, max_dynamic_shared, (int)shared_bytes);
    contents before = snapshot(c), first;
    for (int run = 0; run < 3; ++run) {
        if (run > 0) restore(c, before);
        int status = c.cu.launch(
            function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared_bytes, nullptr, params, nullptr);
        if (status == 0) status = c.cu.synchronize();
        if (status != 0) return report(c, status, name, error, error_size);
        contents after = snapshot(c);
        if (run == 0) first = std::move(after);
        else if (after != first) {
            snprintf(error, error_size, "%s: two runs on the same memory differ", name);
            return 1;
        }
    }
    return 0;
}

bool open_driver(card &c) {
    const char *named = getenv("FACET_CUDA_DRIVER");
    void *library = dlopen(named ? named : "libcuda.so.1", RTLD_NOW);
    if (!library) return fprintf(stderr, "error: no CUDA driver: %s\n", dlerror()), false;
    bool complete = true;
    auto bind = [&](auto &function, const char *symbol) {
        *(void **)&function = dlsym(library, symbol);
        if (!function) fprintf(stderr, "error: the driver lacks %s\n", symbol), complete = false;
    };
    bind(c.cu.init, "cuInit");
    bind(c.cu.device_get, "cuDeviceGet");
    bind(c.cu.device_name, "cuDeviceGetName");
    bind(c.cu.device_attribute, "cuDeviceGetAttribute");
    bind(c.cu.retain, "cuDevicePrimaryCtxRetain");
    bind(c.cu.set_current, "cuCtxSetCurrent");
    bind(c.cu.synchronize, "cuCtxSynchronize");
    bind(c.cu.load, "cuModuleLoadData");
    bind(c.cu.function, "cuModuleGetFunction");
    bind(c.cu.set_attribute, "cuFuncSetAttribute");
    bind(c.cu.allocate, "cuMemAlloc_v2");
    bind(c.cu.release, "cuMemFree_v2");
    bind(c.cu.upload, "cuMemcpyHtoD_v2");
    bind(c.cu.download, "cuMemcpyDtoH_v2");
    bind(c.cu.launch, "cuLaunchKernel");
    bind(c.cu.error_name, "cuGetErrorName");
    return complete;
}

// The folder of code for a card: itself when it has cubins, else that of the card's architecture, or of the nearest older
// one of its generation, as Sources/FacetCUDA/Kernels/KernelStore.swift looks for it. Empty when there is none.
std::filesystem::path folder_for(const std::filesystem::path &folder, int major, int minor) {
    if (!std::filesystem::is_directory(folder)) return {};
    for (const auto &file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() == ".cubin") return folder;
    }
    for (; minor >= 0; --minor) {
        std::string name = "sm_" + std::to_string(major * 10 + minor) + (major == 9 && minor == 0 ? "a" : "");
        if (std::filesystem::is_directory(folder / name)) return folder / name;
    }
    return {};
}

bool open_card(card &c, const char *folder) {
    int device = 0;
    char name[256] = "", error[512];
    void *context = nullptr;
    auto require = [&](int status, const char *what) {
        if (report(c, status, what, error, sizeof error) == 0) return true;
        fprintf(stderr, "error: %s\n", error);
        return false;
    };
    if (!require(c.cu.init(0), "cuInit") || !require(c.cu.device_get(&device, 0), "cuDeviceGet")) return false;
    if (!require(c.cu.retain(&context, device), "cuDevicePrimaryCtxRetain")) return false;
    if (!require(c.cu.set_current(context), "cuCtxSetCurrent")) return false;
    c.cu.device_name(name, sizeof name, device);
    if (!require(c.cu.device_attribute(&c.major, capability_major, device), "cuDeviceGetAttribute")) return false;
    if (!require(c.cu.device_attribute(&c.minor, capability_minor, device), "cuDeviceGetAttribute")) return false;
    std::filesystem::path cubins = folder_for(folder, c.major, c.minor);
    if (cubins.empty()) {
        fprintf(stderr, "error: %s has no cubins for %s, capability %d.%d\n", folder, name, c.major, c.minor);
        return false;
    }
    for (const auto &file : std::filesystem::directory_iterator(cubins)) {
        if (file.path().extension() != ".cubin") continue;
        std::ifstream stream(file.path(), std::ios::binary);
        std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
        void *module = nullptr;
        if (!require(c.cu.load(&module, bytes.data()), file.path().c_str())) return false;
        c.modules.push_back(module);
    }
    printf("%s, capability %d.%d, %zu cubins\n", name, c.major, c.minor, c.modules.size());
    fflush(stdout);
    return true;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: check-on-card CUBINS [NAME]\n"), 64;
    card c;
    if (!open_driver(c) || !open_card(c, argv[1])) return 1;
    const kc_machine machine = {&c, take, give_back, upload, download, launch};
    unsigned run = 0, failed = 0, skipped = 0;
    for (unsigned i = 0; i < kc_check_count(); ++i) {
        if (argc > 2 && !strstr(kc_check_name(i), argv[2])) continue;
        char error[1024];
        ++run;
        c.lacks_kernel = false;
        if (kc_check_run(i, &machine, error, sizeof error) == 0) continue;
        ++(c.lacks_kernel ? skipped : failed);
        if (!c.lacks_kernel) printf("%s\n", error);
        fflush(stdout);
    }
    printf("%u checks, %u failed, %u for newer cards\n", run, failed, skipped);
    return failed ? 1 : 0;
}
