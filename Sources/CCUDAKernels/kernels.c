#include "CCUDAKernels.h"
#include "kernel_list.h"
#include <string.h>

#define ENTRY(name, signature, threads) {#name, SOURCE, signature, threads},
static const ck_kernel kernels[] = {
#define SOURCE "norm"
    CK_KERNELS_norm(ENTRY)
#undef SOURCE
#define SOURCE "elementwise"
    CK_KERNELS_elementwise(ENTRY)
#undef SOURCE
#define SOURCE "rows"
    CK_KERNELS_rows(ENTRY)
#undef SOURCE
#define SOURCE "rotary"
    CK_KERNELS_rotary(ENTRY)
#undef SOURCE
#define SOURCE "gemv_f32"
    CK_KERNELS_gemv_f32(ENTRY)
#undef SOURCE
#define SOURCE "gemv_f16"
    CK_KERNELS_gemv_f16(ENTRY)
#undef SOURCE
#define SOURCE "gemv_bf16"
    CK_KERNELS_gemv_bf16(ENTRY)
#undef SOURCE
#define SOURCE "attention_vision"
    CK_KERNELS_attention_vision(ENTRY)
#undef SOURCE
#define SOURCE "attention_prefill"
    CK_KERNELS_attention_prefill(ENTRY)
#undef SOURCE
#define SOURCE "attention_decode"
    CK_KERNELS_attention_decode(ENTRY)
#undef SOURCE
#define SOURCE "attention_plain"
    CK_KERNELS_attention_plain(ENTRY)
#undef SOURCE
#define SOURCE "product"
    CK_KERNELS_product(ENTRY)
#undef SOURCE
#define SOURCE "product_fp8"
    CK_KERNELS_product_fp8(ENTRY)
#undef SOURCE
#define SOURCE "product_plain"
    CK_KERNELS_product_plain(ENTRY)
#undef SOURCE
#define SOURCE "sampling"
    CK_KERNELS_sampling(ENTRY)
#undef SOURCE
#define SOURCE "fused_f32"
    CK_KERNELS_fused_f32(ENTRY)
#undef SOURCE
#define SOURCE "fused_f16"
    CK_KERNELS_fused_f16(ENTRY)
#undef SOURCE
#define SOURCE "fused_bf16"
    CK_KERNELS_fused_bf16(ENTRY)
#undef SOURCE
#define SOURCE "noise"
    CK_KERNELS_noise(ENTRY)
#undef SOURCE
#define SOURCE "conformance"
    CK_KERNELS_conformance(ENTRY)
#undef SOURCE
};

const ck_kernel *ck_kernels(size_t *count) {
    *count = sizeof kernels / sizeof kernels[0];
    return kernels;
}

unsigned ck_parameter_count(const ck_kernel *kernel) { return (unsigned)strlen(kernel->signature); }

unsigned ck_parameter_size(const ck_kernel *kernel, unsigned index) {
    char letter = kernel->signature[index];
    return letter == 'p' || letter == 'l' ? 8 : 4;
}
