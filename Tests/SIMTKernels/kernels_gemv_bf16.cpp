#include "cuda/gemv_bf16.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(gemv_bf16)
