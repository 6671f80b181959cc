// Products of float32 activations with few rows; see gemv.cuh.
#include "gemv.cuh"

GEMV_ROWS(float, f32, float, f32)
GEMV_ROWS(float, f32, f16, f16)
GEMV_ROWS(float, f32, bf16, bf16)
GEMV_QUANTIZED(float, f32)
