/// Checks of every CUDA kernel, and of each function of dev.cuh, against plain float64 arithmetic.
///
/// A check knows nothing of where it runs: it takes memory from a machine, launches by name, and reads results. So the
/// same checks run on the shim of SIMTKernels and on a card.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What runs kernels. Every function returns 0, or another number and one line in `error`.
typedef struct kc_machine {
    void *context;
    /// Takes memory, aligned to 256 bytes.
    int (*take)(void *context, size_t byte_count, void **memory, char *error, size_t error_size);
    int (*give_back)(void *context, void *memory, char *error, size_t error_size);
    int (*upload)(void *context, void *memory, const void *bytes, size_t byte_count, char *error, size_t error_size);
    int (*download)(void *context, const void *memory, void *bytes, size_t byte_count, char *error, size_t error_size);
    int (*launch)(void *context, const char *kernel, const unsigned grid[3], const unsigned block[3],
                  unsigned shared_bytes, void **params, char *error, size_t error_size);
} kc_machine;

/// The shim of SIMTKernels: runs each launch under all three schedules, requires equal memory afterwards, and finds
/// writes outside what was taken. Used by one thread at a time.
const kc_machine *kc_simulated_machine(void);

/// Number of checks.
unsigned kc_check_count(void);

/// Name of a check: the operation and its case.
const char *kc_check_name(unsigned index);

/// Runs a check; 0, or another number and one line that says what, where, expected and got.
int kc_check_run(unsigned index, const kc_machine *machine, char *error, size_t error_size);

/// Whether the shim finds each fault of a set of wrong kernels; 0, or another number and the one that it missed.
int kc_check_shim(char *error, size_t error_size);

/// How many launches of `kernel` the machine of the shim has made; 0 where no check covers it.
unsigned kc_launch_count(const char *kernel);

#ifdef __cplusplus
}
#endif
