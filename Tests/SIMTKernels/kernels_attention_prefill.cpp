#include "cuda/attention_prefill.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(attention_prefill)
