// Kernels compiled for the host: where they come from.
#pragma once
#include "include/cudasim.h"

namespace [[gnu::visibility("hidden")]] cudasim {

// Of the checks, of the library linked with the simulator (Tests/SIMTKernels), or of the one that FACET_CUDASIM_KERNELS
// names; null when none of them has it.
const simt_kernel *kernel_named(const char *name);

// Calls `visit` with every kernel there is.
void each_kernel(void (*visit)(const simt_kernel *, void *), void *context);

} // namespace cudasim
