#include "cuda/noise.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(noise)
