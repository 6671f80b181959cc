// Decoding's fused steps for float32 activations; see fused.cuh.
#include "fused.cuh"

FUSED_ALL(float, f32)
