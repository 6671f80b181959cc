#include "ccuda_nvml.h"
#include "table.h"

CCUDA_LOADER(ccuda_nvml_load, ccuda_nvml, CCUDA_NVML_FUNCTIONS)
