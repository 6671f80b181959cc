#include "cuda/gemv_f16.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(gemv_f16)
