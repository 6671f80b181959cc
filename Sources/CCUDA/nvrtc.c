#include "ccuda_nvrtc.h"
#include "table.h"

CCUDA_LOADER(ccuda_nvrtc_load, ccuda_nvrtc, CCUDA_NVRTC_FUNCTIONS)
