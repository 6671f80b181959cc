#include "cuda/fused_bf16.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(fused_bf16)
