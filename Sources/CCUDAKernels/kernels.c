#include "CCUDAKernels.h"
#include "kernel_list.h"
#include <string.h>

#define ENTRY(name, signature, threads) {#name, SOURCE, signature, threads},
static const ck_kernel kernels[] = {
#define SOURCE "norm"
    CK_KERNELS_norm(ENTRY)
#undef SOURCE
#define SOURCE "elementwise"
    CK_KERNELS_elementwise(ENTRY)
#undef SOURCE
};

const ck_kernel *ck_kernels(size_t *count) {
    *count = sizeof kernels / sizeof kernels[0];
    return kernels;
}

unsigned ck_parameter_count(const ck_kernel *kernel) { return (unsigned)strlen(kernel->signature); }

unsigned ck_parameter_size(const ck_kernel *kernel, unsigned index) {
    char letter = kernel->signature[index];
    return letter == 'p' || letter == 'l' ? 8 : 4;
}
