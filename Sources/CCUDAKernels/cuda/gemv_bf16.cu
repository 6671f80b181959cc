// Products of bfloat16 activations with few rows; see gemv.cuh.
#include "gemv.cuh"

GEMV_ROWS(bf16, bf16, bf16, bf16)
GEMV_QUANTIZED(bf16, bf16)
