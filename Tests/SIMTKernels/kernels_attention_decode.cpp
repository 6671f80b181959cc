#include "cuda/attention_decode.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(attention_decode)
