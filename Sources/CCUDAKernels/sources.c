#include "CCUDAKernels.h"

// `#embed` is C23, which this target is compiled as; clang's pedantic mode still calls it an extension.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const char types_cuh[] = {
#embed "cuda/types.cuh"
};

static const char dev_cuh[] = {
#embed "cuda/dev.cuh"
};

static const char block_cuh[] = {
#embed "cuda/block.cuh"
};

static const char cache_cuh[] = {
#embed "cuda/cache.cuh"
};

static const char dot_cuh[] = {
#embed "cuda/dot.cuh"
};

static const char flash_cuh[] = {
#embed "cuda/flash.cuh"
};

static const char fused_cuh[] = {
#embed "cuda/fused.cuh"
};

static const char gemv_cuh[] = {
#embed "cuda/gemv.cuh"
};

static const char product_cuh[] = {
#embed "cuda/product.cuh"
};

static const char weights_cuh[] = {
#embed "cuda/weights.cuh"
};

static const char norm_cu[] = {
#embed "cuda/norm.cu"
};

static const char elementwise_cu[] = {
#embed "cuda/elementwise.cu"
};

static const char rows_cu[] = {
#embed "cuda/rows.cu"
};

static const char rotary_cu[] = {
#embed "cuda/rotary.cu"
};

static const char gemv_f32_cu[] = {
#embed "cuda/gemv_f32.cu"
};

static const char gemv_f16_cu[] = {
#embed "cuda/gemv_f16.cu"
};

static const char gemv_bf16_cu[] = {
#embed "cuda/gemv_bf16.cu"
};

static const char attention_vision_cu[] = {
#embed "cuda/attention_vision.cu"
};

static const char attention_prefill_cu[] = {
#embed "cuda/attention_prefill.cu"
};

static const char attention_decode_cu[] = {
#embed "cuda/attention_decode.cu"
};

static const char attention_plain_cu[] = {
#embed "cuda/attention_plain.cu"
};

static const char product_cu[] = {
#embed "cuda/product.cu"
};

static const char product_fp8_cu[] = {
#embed "cuda/product_fp8.cu"
};

static const char product_plain_cu[] = {
#embed "cuda/product_plain.cu"
};

static const char sampling_cu[] = {
#embed "cuda/sampling.cu"
};

static const char fused_f32_cu[] = {
#embed "cuda/fused_f32.cu"
};

static const char fused_f16_cu[] = {
#embed "cuda/fused_f16.cu"
};

static const char fused_bf16_cu[] = {
#embed "cuda/fused_bf16.cu"
};

static const char noise_cu[] = {
#embed "cuda/noise.cu"
};

static const char conformance_cu[] = {
#embed "cuda/conformance.cu"
};

static const ck_source sources[] = {
    {"types.cuh", types_cuh, sizeof types_cuh, 1},
    {"dev.cuh", dev_cuh, sizeof dev_cuh, 1},
    {"block.cuh", block_cuh, sizeof block_cuh, 1},
    {"cache.cuh", cache_cuh, sizeof cache_cuh, 1},
    {"dot.cuh", dot_cuh, sizeof dot_cuh, 1},
    {"flash.cuh", flash_cuh, sizeof flash_cuh, 1},
    {"fused.cuh", fused_cuh, sizeof fused_cuh, 1},
    {"gemv.cuh", gemv_cuh, sizeof gemv_cuh, 1},
    {"product.cuh", product_cuh, sizeof product_cuh, 1},
    {"weights.cuh", weights_cuh, sizeof weights_cuh, 1},
    {"norm.cu", norm_cu, sizeof norm_cu, 0},
    {"elementwise.cu", elementwise_cu, sizeof elementwise_cu, 0},
    {"rows.cu", rows_cu, sizeof rows_cu, 0},
    {"rotary.cu", rotary_cu, sizeof rotary_cu, 0},
    {"gemv_f32.cu", gemv_f32_cu, sizeof gemv_f32_cu, 0},
    {"gemv_f16.cu", gemv_f16_cu, sizeof gemv_f16_cu, 0},
    {"gemv_bf16.cu", gemv_bf16_cu, sizeof gemv_bf16_cu, 0},
    {"attention_vision.cu", attention_vision_cu, sizeof attention_vision_cu, 0},
    {"attention_prefill.cu", attention_prefill_cu, sizeof attention_prefill_cu, 0},
    {"attention_decode.cu", attention_decode_cu, sizeof attention_decode_cu, 0},
    {"attention_plain.cu", attention_plain_cu, sizeof attention_plain_cu, 0},
    {"product.cu", product_cu, sizeof product_cu, 0},
    {"product_fp8.cu", product_fp8_cu, sizeof product_fp8_cu, 0},
    {"product_plain.cu", product_plain_cu, sizeof product_plain_cu, 0},
    {"sampling.cu", sampling_cu, sizeof sampling_cu, 0},
    {"fused_f32.cu", fused_f32_cu, sizeof fused_f32_cu, 0},
    {"fused_f16.cu", fused_f16_cu, sizeof fused_f16_cu, 0},
    {"fused_bf16.cu", fused_bf16_cu, sizeof fused_bf16_cu, 0},
    {"noise.cu", noise_cu, sizeof noise_cu, 0},
    {"conformance.cu", conformance_cu, sizeof conformance_cu, 0},
};

const ck_source *ck_sources(size_t *count) {
    *count = sizeof sources / sizeof sources[0];
    return sources;
}
