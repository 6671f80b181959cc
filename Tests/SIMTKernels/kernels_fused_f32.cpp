#include "cuda/fused_f32.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(fused_f32)
