#include "kernel_interface.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <vector>

// Weak, so that the simulator links, and everything but launches works, without the kernels.
extern "C" {
__attribute__((weak)) const simt_kernel *simt_kernel_named(const char *name);
__attribute__((weak)) unsigned simt_kernel_count(void);
__attribute__((weak)) const simt_kernel *simt_kernel_at(unsigned index);
}

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

struct KernelLibrary {
    const simt_kernel *(*named)(const char *) = nullptr;
    unsigned (*count)(void) = nullptr;
    const simt_kernel *(*at)(unsigned) = nullptr;
};

KernelLibrary open_library() {
    if (simt_kernel_named && simt_kernel_count && simt_kernel_at) {
        return {simt_kernel_named, simt_kernel_count, simt_kernel_at};
    }
    KernelLibrary library;
    const char *path = getenv("FACET_CUDASIM_KERNELS");
    if (!path) return library;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        fprintf(stderr, "cudasim: FACET_CUDASIM_KERNELS: %s\n", dlerror());
        return library;
    }
    library.named = (const simt_kernel *(*)(const char *))dlsym(handle, "simt_kernel_named");
    library.count = (unsigned (*)(void))dlsym(handle, "simt_kernel_count");
    library.at = (const simt_kernel *(*)(unsigned))dlsym(handle, "simt_kernel_at");
    if (!library.named || !library.count || !library.at) {
        fprintf(stderr, "cudasim: FACET_CUDASIM_KERNELS: %s has no simt_kernel functions\n", path);
        return KernelLibrary();
    }
    return library;
}

const KernelLibrary &library() {
    static const KernelLibrary opened = open_library();
    return opened;
}

std::vector<const simt_kernel *> &registered() {
    static std::vector<const simt_kernel *> kernels;
    return kernels;
}

std::mutex registration;

} // namespace

const simt_kernel *kernel_named(const char *name) {
    {
        std::lock_guard<std::mutex> lock(registration);
        for (const simt_kernel *kernel : registered()) {
            if (strcmp(kernel->name, name) == 0) return kernel;
        }
    }
    return library().named ? library().named(name) : nullptr;
}

void each_kernel(void (*visit)(const simt_kernel *, void *), void *context) {
    {
        std::lock_guard<std::mutex> lock(registration);
        for (const simt_kernel *kernel : registered()) visit(kernel, context);
    }
    unsigned count = library().count ? library().count() : 0;
    for (unsigned i = 0; i < count; ++i) visit(library().at(i), context);
}

} // namespace cudasim

void cudasim_register_kernel(const simt_kernel *kernel) {
    std::lock_guard<std::mutex> lock(cudasim::registration);
    cudasim::registered().push_back(kernel);
}
