// Products of column-major matrices in plain loops; strict about what the library is strict about.
#include "fake.h"
#include <stdlib.h>
#include <string.h>

struct cublasLtContext {
    CUcontext context;
};
struct cublasLtMatmulDescOpaque {
    int operation_a, operation_b, epilogue, bias_type;
    const void *bias;
};
struct cublasLtMatrixLayoutOpaque {
    cudaDataType_t type;
    uint64_t rows, cols;
    int64_t ld;
};
struct cublasLtMatmulPreferenceOpaque {
    uint64_t workspace;
};

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) return (cublasStatus_t)code

static int width(cudaDataType_t type) { return type == CUDA_R_32F ? 4 : 2; }

static float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
    float value;
    if (exponent == 0) {
        value = (float)fraction / 16777216.0f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7F800000 : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &bits, 4);
    return value;
}

static float element(const void *base, size_t index, cudaDataType_t type) {
    if (type == CUDA_R_32F) return ((const float *)base)[index];
    uint16_t bits = ((const uint16_t *)base)[index];
    if (type == CUDA_R_16F) return half_to_float(bits);
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

static void store(void *base, size_t index, cudaDataType_t type, float value) {
    if (type == CUDA_R_32F) {
        ((float *)base)[index] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (type == CUDA_R_16BF) {
        ((uint16_t *)base)[index] = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
        return;
    }
    // Small whole numbers only, which is what the tests multiply: no rounding, no denormals.
    uint16_t half = (uint16_t)(bits >> 16 & 0x8000);
    if (value != 0) half |= (uint16_t)(((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023));
    ((uint16_t *)base)[index] = half;
}

FAKE_EXPORT size_t cublasLtGetVersion(void) { return 120900; }

FAKE_EXPORT const char *cublasLtGetStatusName(cublasStatus_t status) {
    return status == CUBLAS_STATUS_NOT_SUPPORTED    ? "CUBLAS_STATUS_NOT_SUPPORTED"
           : status == CUBLAS_STATUS_INVALID_VALUE  ? "CUBLAS_STATUS_INVALID_VALUE"
                                                    : "CUBLAS_STATUS_OTHER";
}

FAKE_EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    BEGIN(cublasLtCreate);
    if (!fake_current()) return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = calloc(1, sizeof **handle);
    (*handle)->context = fake_current();
    fake_alive_count++;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    free(handle);
    fake_alive_count--;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute,
                                                    cudaDataType_t scale) {
    BEGIN(cublasLtMatmulDescCreate);
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_INVALID_VALUE;
    *desc = calloc(1, sizeof **desc);
    (*desc)->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    fake_alive_count++;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    free(desc);
    fake_alive_count--;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                                          cublasLtMatmulDescAttributes_t attribute, const void *value,
                                                          size_t bytes) {
    BEGIN(cublasLtMatmulDescSetAttribute);
    size_t expected = attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? 8 : 4;
    if (bytes != expected) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: memcpy(&desc->operation_a, value, 4); break;
    case CUBLASLT_MATMUL_DESC_TRANSB: memcpy(&desc->operation_b, value, 4); break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE: memcpy(&desc->epilogue, value, 4); break;
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: memcpy(&desc->bias_type, value, 4); break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: memcpy(&desc->bias, value, 8); break;
    default: return CUBLAS_STATUS_INVALID_VALUE;
    }
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t type,
                                                      uint64_t rows, uint64_t cols, int64_t ld) {
    BEGIN(cublasLtMatrixLayoutCreate);
    if (ld < (int64_t)rows) return CUBLAS_STATUS_INVALID_VALUE;
    *layout = calloc(1, sizeof **layout);
    **layout = (struct cublasLtMatrixLayoutOpaque){type, rows, cols, ld};
    fake_alive_count++;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    free(layout);
    fake_alive_count--;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    BEGIN(cublasLtMatmulPreferenceCreate);
    *preference = calloc(1, sizeof **preference);
    fake_alive_count++;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    free(preference);
    fake_alive_count--;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                                cublasLtMatmulPreferenceAttributes_t attribute,
                                                                const void *value, size_t bytes) {
    BEGIN(cublasLtMatmulPreferenceSetAttribute);
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
        if (bytes != 8) return CUBLAS_STATUS_INVALID_VALUE;
        memcpy(&preference->workspace, value, 8);
        return CUBLAS_STATUS_SUCCESS;
    }
    return bytes == 4 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                                          cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                          cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                          cublasLtMatmulPreference_t preference, int requested,
                                                          cublasLtMatmulHeuristicResult_t *results, int *count) {
    BEGIN(cublasLtMatmulAlgoGetHeuristic);
    (void)desc, (void)c;
    if (!handle || requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
    *count = 0;
    // As on a card: 16-bit operands need rows of a multiple of 16 bytes.
    if (a->type != b->type || (width(a->type) == 2 && a->ld % 8)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (d->type != a->type && d->type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *results = (cublasLtMatmulHeuristicResult_t){.state = CUBLAS_STATUS_SUCCESS};
    results->algo.data[0] = 0xFACE;
    results->workspaceSize = preference->workspace < 4096 ? 0 : 4096;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                                          const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                                          cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                                          cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                                          const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes,
                                          CUstream stream) {
    BEGIN(cublasLtMatmul);
    if (!handle || handle->context != fake_current() || !stream || algo->data[0] != 0xFACE)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (workspace_bytes && (!workspace || (uintptr_t)workspace % 256)) return CUBLAS_STATUS_INVALID_VALUE;
    bool transposed = desc->operation_a == CUBLAS_OP_T;
    uint64_t m = transposed ? a_layout->cols : a_layout->rows, k = transposed ? a_layout->rows : a_layout->cols;
    if (desc->operation_b != CUBLAS_OP_N || b_layout->rows != k || d_layout->rows != m ||
        d_layout->cols != b_layout->cols || c_layout->ld != d_layout->ld)
        return CUBLAS_STATUS_INVALID_VALUE;
    fake_drain(stream);
    for (uint64_t column = 0; column < d_layout->cols; column++) {
        for (uint64_t row = 0; row < m; row++) {
            float sum = 0;
            for (uint64_t i = 0; i < k; i++) {
                uint64_t at = transposed ? row * (uint64_t)a_layout->ld + i : i * (uint64_t)a_layout->ld + row;
                sum += element(a, at, a_layout->type) * element(b, column * (uint64_t)b_layout->ld + i, b_layout->type);
            }
            sum *= *(const float *)alpha;
            uint64_t at = column * (uint64_t)d_layout->ld + row;
            if (*(const float *)beta != 0) sum += *(const float *)beta * element(c, at, c_layout->type);
            if (desc->epilogue == CUBLASLT_EPILOGUE_BIAS)
                sum += element(desc->bias, row, (cudaDataType_t)desc->bias_type);
            store(d, at, d_layout->type, sum);
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}
