#include "cuda/attention_vision.cu"
#include "kernel_entry.h"
#include "kernel_list.h"

SIMT_SOURCE(attention_vision)
