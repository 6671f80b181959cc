#include "cuda/attention_plain.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(attention_plain)
