// Products of float16 activations with few rows; see gemv.cuh.
#include "gemv.cuh"

GEMV_ROWS(f16, f16, f16, f16)
GEMV_QUANTIZED(f16, f16)
