// Code, functions and launches. An image is ELF's four bytes and the names of its kernels, each ended by a newline.
#include "fake.h"
#include <stdlib.h>
#include <string.h>

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) {                                                                                    \
        if (fake_current() && (code == CUDA_ERROR_ILLEGAL_ADDRESS || code == CUDA_ERROR_LAUNCH_FAILED))                \
            fake_current()->lost = (CUresult)code;                                                                     \
        return (CUresult)code;                                                                                         \
    }                                                                                                                  \
    if (fake_current() && fake_current()->lost) return fake_current()->lost

struct CUlib_st {
    char *names;
};

#define ARGUMENT(type, index, offset) type index = *(const type *)(parameters + offset)

// fill(uint32_t *y, uint32_t value, uint32_t count)
static void fill(const CUlaunchConfig *shape, const unsigned char *parameters) {
    ARGUMENT(uint64_t, y, 0);
    ARGUMENT(uint32_t, value, 8);
    ARGUMENT(uint32_t, count, 12);
    size_t threads = (size_t)shape->gridDimX * shape->blockDimX;
    for (size_t i = 0; i < count && i < threads; i++) ((uint32_t *)y)[i] = value;
}

// scale(float *y, float factor, uint32_t count, uint8_t isNegated)
static void scale(const CUlaunchConfig *shape, const unsigned char *parameters) {
    ARGUMENT(uint64_t, y, 0);
    ARGUMENT(float, factor, 8);
    ARGUMENT(uint32_t, count, 12);
    size_t threads = (size_t)shape->gridDimX * shape->blockDimX;
    for (size_t i = 0; i < count && i < threads; i++) ((float *)y)[i] *= parameters[16] ? -factor : factor;
}

static const struct fake_kernel kernels[] = {
    {"fill", 3, {0, 8, 12}, {8, 4, 4}, 1024, 0, fill},
    {"scale", 4, {0, 8, 12, 16}, {8, 4, 4, 1}, 256, 1024, scale},
};

const struct fake_kernel *fake_kernel_named(const char *name) {
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(kernels[i].name, name) == 0) return &kernels[i];
    return NULL;
}

static bool has_name(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *line = names; *line;) {
        const char *end = strchr(line, '\n');
        if (!end) return false;
        if ((size_t)(end - line) == length && strncmp(line, name, length) == 0) return true;
        line = end + 1;
    }
    return false;
}

FAKE_EXPORT CUresult cuLibraryLoadData(CUlibrary *library, const void *image, CUjit_option *jit, void **jit_values,
                                       unsigned int jit_count, CUlibraryOption *options, void **values,
                                       unsigned int count) {
    BEGIN(cuLibraryLoadData);
    (void)jit, (void)jit_values, (void)options, (void)values;
    if (jit_count || count) return CUDA_ERROR_INVALID_VALUE;
    if (memcmp(image, "\177ELF", 4) != 0) return CUDA_ERROR_INVALID_IMAGE;
    *library = calloc(1, sizeof **library);
    size_t length = strlen((const char *)image + 4);
    (*library)->names = malloc(length + 1);
    memcpy((*library)->names, (const char *)image + 4, length + 1);
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryUnload(CUlibrary library) {
    free(library->names);
    free(library);
    fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name) {
    BEGIN(cuLibraryGetKernel);
    const struct fake_kernel *found = has_name(library->names, name) ? fake_kernel_named(name) : NULL;
    if (!found) return CUDA_ERROR_NOT_FOUND;
    *kernel = (CUkernel)found;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel) {
    BEGIN(cuKernelGetFunction);
    if (!fake_current()) return CUDA_ERROR_INVALID_CONTEXT;
    *function = (CUfunction)kernel;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuKernelGetName(const char **name, CUkernel kernel) {
    BEGIN(cuKernelGetName);
    *name = ((const struct fake_kernel *)kernel)->name;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryGetKernelCount(unsigned int *count, CUlibrary library) {
    BEGIN(cuLibraryGetKernelCount);
    *count = 0;
    for (const char *c = library->names; *c; c++) *count += *c == '\n';
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryEnumerateKernels(CUkernel *found, unsigned int count, CUlibrary library) {
    BEGIN(cuLibraryEnumerateKernels);
    unsigned int taken = 0;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels && taken < count; i++)
        if (has_name(library->names, kernels[i].name)) found[taken++] = (CUkernel)&kernels[i];
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *bytes) {
    const struct fake_kernel *kernel = (const struct fake_kernel *)function;
    if (index >= (size_t)kernel->count) return CUDA_ERROR_INVALID_VALUE;
    *offset = kernel->offsets[index];
    if (bytes) *bytes = kernel->sizes[index];
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuFuncLoad(CUfunction function) {
    BEGIN(cuFuncLoad);
    return function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
    BEGIN(cuFuncGetAttribute);
    const struct fake_kernel *kernel = (const struct fake_kernel *)function;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = kernel->threads; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = kernel->shared_bytes; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    BEGIN(cuFuncSetAttribute);
    (void)function;
    return attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && value <= 101376 ? CUDA_SUCCESS
                                                                                           : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads,
                                                                 size_t shared_bytes) {
    BEGIN(cuOccupancyMaxActiveBlocksPerMultiprocessor);
    (void)function, (void)shared_bytes;
    *blocks = threads > 0 ? 2048 / threads : 0;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    BEGIN(cuModuleLoadData);
    return cuLibraryLoadData((CUlibrary *)module, image, NULL, NULL, 0, NULL, NULL, 0);
}

FAKE_EXPORT CUresult cuModuleUnload(CUmodule module) { return cuLibraryUnload((CUlibrary)module); }

FAKE_EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    BEGIN(cuModuleGetFunction);
    return cuLibraryGetKernel((CUkernel *)function, (CUlibrary)module, name);
}

FAKE_EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                                      void **extra) {
    BEGIN(cuLaunchKernelEx);
    const struct fake_kernel *kernel = (const struct fake_kernel *)function;
    unsigned threads = config->blockDimX * config->blockDimY * config->blockDimZ;
    if (extra || threads == 0 || threads > (unsigned)kernel->threads || config->gridDimX == 0)
        return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < config->numAttrs; i++)
        if (config->attrs[i].id != CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION &&
            config->attrs[i].id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
            return CUDA_ERROR_INVALID_VALUE;
    fake_operation operation = {.kind = FAKE_LAUNCH, .kernel = kernel, .shape = *config};
    for (int i = 0; i < kernel->count; i++)
        memcpy(operation.parameters + kernel->offsets[i], parameters[i], kernel->sizes[i]);
    return fake_submit(config->hStream, &operation);
}
