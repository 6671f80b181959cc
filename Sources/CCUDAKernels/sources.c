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

static const char norm_cu[] = {
#embed "cuda/norm.cu"
};

static const char elementwise_cu[] = {
#embed "cuda/elementwise.cu"
};

static const ck_source sources[] = {
    {"types.cuh", types_cuh, sizeof types_cuh, 1},
    {"dev.cuh", dev_cuh, sizeof dev_cuh, 1},
    {"block.cuh", block_cuh, sizeof block_cuh, 1},
    {"norm.cu", norm_cu, sizeof norm_cu, 0},
    {"elementwise.cu", elementwise_cu, sizeof elementwise_cu, 0},
};

const ck_source *ck_sources(size_t *count) {
    *count = sizeof sources / sizeof sources[0];
    return sources;
}
