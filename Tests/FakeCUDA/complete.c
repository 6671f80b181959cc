// The stand-in has every function of CCUDA's lists: one that is missing does not link.
#include "fake.h"

#define ADDRESS(name, symbol, result, parameters) (const void *)symbol,
const void *const fake_functions[] = {
    CCUDA_DRIVER_FUNCTIONS(ADDRESS, ADDRESS) CCUDA_NVRTC_FUNCTIONS(ADDRESS, ADDRESS)
        CCUDA_CUBLASLT_FUNCTIONS(ADDRESS, ADDRESS) CCUDA_NVML_FUNCTIONS(ADDRESS, ADDRESS)};
