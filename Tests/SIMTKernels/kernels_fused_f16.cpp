#include "cuda/fused_f16.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(fused_f16)
