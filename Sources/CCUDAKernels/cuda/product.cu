// Products on tensor cores; see product.cuh.
//
// product_<x>_<weight>_m16: grid [ceil(outputs / 64), ceil(x_rows / 16)], block [128].
// product_<x>_<weight>_m128: grid [ceil(outputs / 128), ceil(x_rows / 128)], block [256].
// No dynamic shared memory. Weights of the type of x, or fp8, int8, int4.
#include "product.cuh"

#define PRODUCTS(T, t)                                                                                                \
    PRODUCT_TILES(T, t, T, t) PRODUCT_TILES(T, t, fp8, fp8) PRODUCT_TILES(T, t, code8, int8)                          \
    PRODUCT_TILES(T, t, code4, int4)

PRODUCTS(f16, f16)
#ifdef HAS_BF16_MMA
PRODUCTS(bf16, bf16)
#endif
