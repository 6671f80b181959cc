/// Matrix products: `libcublasLt.so`, versions 12 and 13.
#pragma once
#include "ccuda_driver.h"

#ifndef CCUDA_TYPES_FROM_HEADERS

typedef struct cublasLtContext *cublasLtHandle_t;
typedef struct cublasLtMatmulDescOpaque *cublasLtMatmulDesc_t;
typedef struct cublasLtMatrixLayoutOpaque *cublasLtMatrixLayout_t;
typedef struct cublasLtMatmulPreferenceOpaque *cublasLtMatmulPreference_t;

typedef enum cublasStatus_t {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_ARCH_MISMATCH = 8,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
} cublasStatus_t;

typedef enum cudaDataType_t {
    CUDA_R_32F = 0,
    CUDA_R_16F = 2,
    CUDA_R_8I = 3,
    CUDA_R_32I = 10,
    CUDA_R_16BF = 14,
    CUDA_R_8F_E4M3 = 28,
} cudaDataType_t;

typedef enum cublasComputeType_t {
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
} cublasComputeType_t;

typedef enum cublasOperation_t {
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
} cublasOperation_t;

typedef enum cublasLtEpilogue_t {
    CUBLASLT_EPILOGUE_DEFAULT = 1,
    CUBLASLT_EPILOGUE_BIAS = 4,
} cublasLtEpilogue_t;

typedef enum cublasLtMatmulDescAttributes_t {
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_TRANSB = 4,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
    CUBLASLT_MATMUL_DESC_A_SCALE_POINTER = 17,
    CUBLASLT_MATMUL_DESC_B_SCALE_POINTER = 18,
    CUBLASLT_MATMUL_DESC_FAST_ACCUM = 25,
    CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE = 26,
    CUBLASLT_MATMUL_DESC_A_SCALE_MODE = 31,
    CUBLASLT_MATMUL_DESC_B_SCALE_MODE = 32,
} cublasLtMatmulDescAttributes_t;

typedef enum cublasLtMatmulMatrixScale_t {
    CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F = 0,
    CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F = 3,
} cublasLtMatmulMatrixScale_t;

typedef enum cublasLtMatrixLayoutAttribute_t {
    CUBLASLT_MATRIX_LAYOUT_TYPE = 0,
    CUBLASLT_MATRIX_LAYOUT_ORDER = 1,
    CUBLASLT_MATRIX_LAYOUT_ROWS = 2,
    CUBLASLT_MATRIX_LAYOUT_COLS = 3,
    CUBLASLT_MATRIX_LAYOUT_LD = 4,
} cublasLtMatrixLayoutAttribute_t;

typedef enum cublasLtMatmulPreferenceAttributes_t {
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
} cublasLtMatmulPreferenceAttributes_t;

typedef struct cublasLtMatmulAlgo_t {
    uint64_t data[8];
} cublasLtMatmulAlgo_t;

typedef struct cublasLtMatmulHeuristicResult_t {
    cublasLtMatmulAlgo_t algo;
    size_t workspaceSize;
    cublasStatus_t state;
    float wavesCount;
    int reserved[4];
} cublasLtMatmulHeuristicResult_t;

#endif

/// The functions: Swift's name, the exported symbol, what it returns and takes. Matrices are column-major.
#define CCUDA_CUBLASLT_FUNCTIONS(REQUIRED, OPTIONAL)                                                                   \
    REQUIRED(getVersion, cublasLtGetVersion, size_t, (void))                                                           \
    REQUIRED(getStatusName, cublasLtGetStatusName, const char *, (cublasStatus_t status))                              \
    REQUIRED(create, cublasLtCreate, cublasStatus_t, (cublasLtHandle_t * handle))                                      \
    REQUIRED(destroy, cublasLtDestroy, cublasStatus_t, (cublasLtHandle_t handle))                                      \
    REQUIRED(matmulDescCreate, cublasLtMatmulDescCreate, cublasStatus_t,                                               \
             (cublasLtMatmulDesc_t * desc, cublasComputeType_t computeType, cudaDataType_t scaleType))                 \
    REQUIRED(matmulDescDestroy, cublasLtMatmulDescDestroy, cublasStatus_t, (cublasLtMatmulDesc_t desc))                \
    REQUIRED(matmulDescSetAttribute, cublasLtMatmulDescSetAttribute, cublasStatus_t,                                   \
             (cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes))   \
    REQUIRED(matrixLayoutCreate, cublasLtMatrixLayoutCreate, cublasStatus_t,                                           \
             (cublasLtMatrixLayout_t * layout, cudaDataType_t type, uint64_t rows, uint64_t cols, int64_t ld))         \
    REQUIRED(matrixLayoutDestroy, cublasLtMatrixLayoutDestroy, cublasStatus_t, (cublasLtMatrixLayout_t layout))        \
    REQUIRED(matmulPreferenceCreate, cublasLtMatmulPreferenceCreate, cublasStatus_t,                                   \
             (cublasLtMatmulPreference_t * preference))                                                                \
    REQUIRED(matmulPreferenceDestroy, cublasLtMatmulPreferenceDestroy, cublasStatus_t,                                 \
             (cublasLtMatmulPreference_t preference))                                                                  \
    REQUIRED(matmulPreferenceSetAttribute, cublasLtMatmulPreferenceSetAttribute, cublasStatus_t,                       \
             (cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,                   \
              const void *value, size_t bytes))                                                                        \
    REQUIRED(matmulAlgoGetHeuristic, cublasLtMatmulAlgoGetHeuristic, cublasStatus_t,                                   \
             (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,  \
              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,               \
              int requested, cublasLtMatmulHeuristicResult_t *results, int *count))                                    \
    REQUIRED(matmul, cublasLtMatmul, cublasStatus_t,                                                                   \
             (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,                    \
              cublasLtMatrixLayout_t aLayout, const void *b, cublasLtMatrixLayout_t bLayout, const void *beta,         \
              const void *c, cublasLtMatrixLayout_t cLayout, void *d, cublasLtMatrixLayout_t dLayout,                  \
              const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspaceBytes, CUstream stream))

#ifdef __cplusplus
extern "C" {
#endif

/// The library's functions.
typedef struct ccuda_cublaslt {
    CCUDA_CUBLASLT_FUNCTIONS(CCUDA_REQUIRED_FIELD, CCUDA_OPTIONAL_FIELD)
} ccuda_cublaslt;

/// The table of an opened library; null, and in `missing` the symbol that it lacks (null when memory ran out).
ccuda_cublaslt *_Nullable ccuda_cublaslt_load(void *_Nonnull library, const char *_Nullable *_Nonnull missing);

#ifdef __cplusplus
}
#endif
