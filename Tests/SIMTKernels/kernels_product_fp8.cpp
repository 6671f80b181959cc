#include "cuda/product_fp8.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(product_fp8)
