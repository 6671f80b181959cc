#include "cuda/product_plain.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(product_plain)
