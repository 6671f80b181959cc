// Decoding's fused steps for float16 activations; see fused.cuh.
#include "fused.cuh"

FUSED_ALL(f16, f16)
