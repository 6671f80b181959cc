/// The CUDA kernels: their sources as text, and the table that launches them.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One source file, as it is given to NVRTC.
typedef struct ck_source {
    /// As `#include` names it: `norm.cu`, `dev.cuh`.
    const char *name;
    /// Not terminated by a zero.
    const char *text;
    size_t length;
    /// Whether it is included by others; else it is compiled by itself.
    int is_header;
} ck_source;

/// One entry point.
typedef struct ck_kernel {
    /// As the cubin exports it.
    const char *name;
    /// Source that defines it, without `.cu`.
    const char *source;
    /// A letter per parameter: `p` pointer, `l` 64-bit integer, `i` 32-bit integer, `f` float32.
    const char *signature;
    /// Most threads of a block.
    unsigned max_threads;
} ck_kernel;

/// All sources.
const ck_source *ck_sources(size_t *count);

/// All kernels, by source.
const ck_kernel *ck_kernels(size_t *count);

/// Number of parameters.
unsigned ck_parameter_count(const ck_kernel *kernel);

/// Bytes of a parameter: 4 or 8.
unsigned ck_parameter_size(const ck_kernel *kernel, unsigned index);

#ifdef __cplusplus
}
#endif
