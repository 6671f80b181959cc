#include "kernel_list.h"
#include "simt_kernels.h"
#include <cstring>
#include <vector>

#define DECLARE(source) const simt_kernel *simt_kernels_of_##source(unsigned *count);
CK_SOURCES(DECLARE)

namespace {

std::vector<const simt_kernel *> collect() {
    std::vector<const simt_kernel *> all;
    auto append = [&](const simt_kernel *(*kernels_of)(unsigned *)) {
        unsigned count;
        const simt_kernel *kernels = kernels_of(&count);
        for (unsigned i = 0; i < count; ++i) all.push_back(&kernels[i]);
    };
#define APPEND(source) append(simt_kernels_of_##source);
    CK_SOURCES(APPEND)
    return all;
}

const std::vector<const simt_kernel *> &kernels() {
    static const std::vector<const simt_kernel *> all = collect();
    return all;
}

} // namespace

unsigned simt_kernel_count(void) { return (unsigned)kernels().size(); }
const simt_kernel *simt_kernel_at(unsigned index) { return kernels()[index]; }

const simt_kernel *simt_kernel_named(const char *name) {
    for (const simt_kernel *kernel : kernels()) {
        if (std::strcmp(kernel->name, name) == 0) return kernel;
    }
    return nullptr;
}
