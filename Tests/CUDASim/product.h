// The matrix product that stands for cuBLASLt's: plain, accumulated in float32.
#pragma once
#include "include/cublaslt_abi.h"

namespace [[gnu::visibility("hidden")]] cudasim {

struct Matrix {
    cudaDataType_t type = CUDA_R_32F;
    uint64_t rows = 0, cols = 0;
    int64_t ld = 0; // elements from one column to the next
    uint64_t address = 0;

    size_t element_bytes() const { return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2; }
    size_t bytes() const { return cols == 0 ? 0 : ((cols - 1) * (uint64_t)ld + rows) * element_bytes(); }
};

// d = alpha · op(a) · op(b) + beta · c + bias; bias, one value per row of d, may be null.
struct Product {
    Matrix a, b, c, d;
    bool transposes_a = false, transposes_b = false;
    float alpha = 1, beta = 0;
    uint64_t bias = 0;
    cudaDataType_t bias_type = CUDA_R_32F;

    uint64_t depth() const { return transposes_a ? a.rows : a.cols; }
    void compute() const;
};

} // namespace cudasim
