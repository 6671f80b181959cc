// Decoding's fused steps for bfloat16 activations; see fused.cuh.
#include "fused.cuh"

FUSED_ALL(bf16, bf16)
