#include "cuda/gemv_f32.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(gemv_f32)
