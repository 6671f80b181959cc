/// The checks of the simulated CUDA driver, one after the other in one process.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Number of checks.
unsigned cudasim_check_count(void);

/// What a check is about.
const char *cudasim_check_name(unsigned index);

/// Runs a check on a machine of its own; null, or where and what was wrong (valid until the next one runs).
const char *cudasim_check_run(unsigned index);

#ifdef __cplusplus
}
#endif
