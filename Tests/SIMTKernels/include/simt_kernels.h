/// The CUDA kernels, compiled for this processor: one fiber per CUDA thread, one block at a time per calling thread.
///
/// A launch fails with an error, instead of hanging or corrupting, when threads of a block wait at different places,
/// when lanes of a warp call different operations, or when a block asks for more shared memory than it was given.
/// Shared memory starts as 0xFF bytes (NaN). Equal results under all three schedules are evidence that no barrier is
/// missing.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Order in which warps, and lanes in a warp, run between barriers; and blocks.
enum { SIMT_FORWARD = 0, SIMT_REVERSE = 1, SIMT_ROTATED = 2 };

/// Geometry, parameters and schedule of one launch.
typedef struct simt_launch {
    unsigned grid[3], block[3], shared_bytes, schedule;
    void **params; // one pointer per parameter, as cuLaunchKernel takes them
} simt_launch;

/// A kernel by the name that it has on a device.
typedef struct simt_kernel {
    const char *name;
    unsigned param_count;
    const unsigned *param_sizes;
    unsigned max_threads; // of a block
    /// Runs the whole grid; 0, or another number and one line in `error`.
    int (*run)(const simt_launch *, char *error, unsigned long error_size);
} simt_kernel;

/// The kernel of that name, or NULL.
const simt_kernel *simt_kernel_named(const char *name);

/// Number of kernels.
unsigned simt_kernel_count(void);

/// The kernel at an index less than the count.
const simt_kernel *simt_kernel_at(unsigned index);

#ifdef __cplusplus
}
#endif
