// Kernels for arm64 processors with the dot of bytes (ARMv8.2 dotprod): those of any processor, but for bytes.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 16
#define CC_TABLE cc_kernels_neon_dot
#define CC_BYTES bytes_dot
#define HIDE(v) __asm__ volatile("" : "+w"(v))

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "packed_int_neon.h"
#include "table.h"
#pragma clang attribute pop
#endif
