// Kernels for any processor: 16-byte vectors, which the compiler maps to SSE2 or NEON.
#include <math.h>
#include <string.h>
#include "kernels.h"

#define CC_VECTOR_BYTES 16
#define CC_TABLE cc_kernels_portable
#if defined(__aarch64__)
#define HIDE(v) __asm__ volatile("" : "+w"(v))
#elif defined(__x86_64__)
#define HIDE(v) __asm__ volatile("" : "+x"(v))
#else
#define HIDE(v) __asm__ volatile("" : "+m"(v))
#endif

#include "table.h"
