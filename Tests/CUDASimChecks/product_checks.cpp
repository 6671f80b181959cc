// cuBLASLt: the product, and what it refuses.
#include "check.h"
#include <cmath>
#include <cstring>

namespace {

struct Products {
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t desc;
    cublasLtMatmulPreference_t preference;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulHeuristicResult_t found;
    int count = 0;

    // y [n, m] = x [n, k] · weightᵀ, weight [m, k], all row-major: column-major m x n, with a transposed.
    Products(cudaDataType_t type, cudaDataType_t result, uint64_t m, uint64_t n, uint64_t k) {
        int transposed = CUBLAS_OP_T;
        REQUIRE(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(
            cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed) ==
            CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatrixLayoutCreate(&a, type, k, m, (int64_t)k) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatrixLayoutCreate(&b, type, k, n, (int64_t)k) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatrixLayoutCreate(&d, result, m, n, (int64_t)m) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
    }

    ~Products() {
        cublasLtMatmulPreferenceDestroy(preference);
        cublasLtMatrixLayoutDestroy(a);
        cublasLtMatrixLayoutDestroy(b);
        cublasLtMatrixLayoutDestroy(d);
        cublasLtMatmulDescDestroy(desc);
        cublasLtDestroy(handle);
    }

    cublasStatus_t choose() {
        return cublasLtMatmulAlgoGetHeuristic(handle, desc, a, b, d, d, preference, 1, &found, &count);
    }

    cublasStatus_t multiply(CUdeviceptr x, CUdeviceptr y, CUdeviceptr z, CUstream stream, float beta = 0) {
        float alpha = 1;
        return cublasLtMatmul(
            handle, desc, &alpha, (void *)x, a, (void *)y, b, &beta, (void *)z, d, (void *)z, d, &found.algo, nullptr, 0,
            stream);
    }
};

uint16_t bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)(bits >> 16);
}

template <class T> CUdeviceptr uploaded(const std::vector<T> &values) {
    CUdeviceptr address = allocate(values.size() * sizeof(T));
    OK(cuMemcpyHtoD_v2(address, values.data(), values.size() * sizeof(T)));
    return address;
}

} // namespace

CHECK(product, "a product in bf16 with float32 results, a bias, and an accumulation") {
    use(test_machine(1));
    start();
    const uint64_t m = 3, n = 2, k = 5;
    std::vector<uint16_t> weight(m * k), x(n * k);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = bf16((float)i - 7);
    for (size_t i = 0; i < x.size(); ++i) x[i] = bf16((float)(i % 4) + 0.5f);
    std::vector<float> bias = {100, 200, 300}, y(m * n);
    CUdeviceptr a = uploaded(weight), b = uploaded(x), offset = uploaded(bias), d = allocate(m * n * 4);
    CUstream stream = new_stream();
    Products products(CUDA_R_16BF, CUDA_R_32F, m, n, k);
    int epilogue = CUBLASLT_EPILOGUE_BIAS;
    REQUIRE(
        cublasLtMatmulDescSetAttribute(products.desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) ==
        CUBLAS_STATUS_SUCCESS);
    REQUIRE(
        cublasLtMatmulDescSetAttribute(products.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &offset, sizeof offset) ==
        CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.choose() == CUBLAS_STATUS_SUCCESS && products.count == 1);
    REQUIRE(products.multiply(a, b, d, stream) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.multiply(a, b, d, stream, 1) == CUBLAS_STATUS_SUCCESS);
    OK(cuStreamSynchronize(stream));
    OK(cuMemcpyDtoH_v2(y.data(), d, m * n * 4));
    for (uint64_t row = 0; row < n; ++row) {
        for (uint64_t column = 0; column < m; ++column) {
            float sum = bias[column];
            for (uint64_t i = 0; i < k; ++i) sum += ((float)(column * k + i) - 7) * ((float)((row * k + i) % 4) + 0.5f);
            REQUIRE(y[row * m + column] == 2 * sum);
        }
    }
}

CHECK(halves, "fp16 results round to nearest, also below the normal range and to infinity") {
    use(test_machine(1));
    start();
    // 1, half an ulp above 1 (ties to even), the largest, past it, the smallest, a tie below normal.
    const float values[] = {1, 1.00048828125f, 65504, 65520, 5.9604645e-8f, 8.940697e-8f};
    const uint16_t expected[] = {0x3C00, 0x3C00, 0x7BFF, 0x7C00, 0x0001, 0x0002};
    CUstream stream = new_stream();
    for (int i = 0; i < 6; ++i) {
        Products products(CUDA_R_16F, CUDA_R_16F, 1, 1, 1);
        CUdeviceptr one = uploaded(std::vector<uint16_t>{0x3C00}), d = allocate(2);
        float alpha = values[i], beta = 0;
        REQUIRE(products.choose() == CUBLAS_STATUS_SUCCESS);
        REQUIRE(
            cublasLtMatmul(
                products.handle, products.desc, &alpha, (void *)one, products.a, (void *)one, products.b, &beta, (void *)d,
                products.d, (void *)d, products.d, &products.found.algo, nullptr, 0, stream) == CUBLAS_STATUS_SUCCESS);
        OK(cuStreamSynchronize(stream));
        uint16_t result;
        OK(cuMemcpyDtoH_v2(&result, d, 2));
        REQUIRE(result == expected[i]);
    }
}

CHECK(product_refusals, "types, shapes, alignment, algorithms and handles that do not fit are refused") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    CUdeviceptr x = allocate(4096), z = allocate(4096);
    Products products(CUDA_R_16BF, CUDA_R_16BF, 16, 4, 32), other(CUDA_R_16BF, CUDA_R_16BF, 16, 4, 16);
    cublasLtMatrixLayout_t layout;
    REQUIRE(cublasLtMatrixLayoutCreate(&layout, (cudaDataType_t)3, 4, 4, 4) == CUBLAS_STATUS_NOT_SUPPORTED);
    REQUIRE(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16F, 4, 4, 3) == CUBLAS_STATUS_INVALID_VALUE);
    int value = 1;
    REQUIRE(
        cublasLtMatmulDescSetAttribute(products.desc, CUBLASLT_MATMUL_DESC_TRANSA, &value, 8) ==
        CUBLAS_STATUS_INVALID_VALUE);
    REQUIRE(products.choose() == CUBLAS_STATUS_SUCCESS && other.choose() == CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.multiply(x, x, z, stream) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.multiply(x + 16, x, z, stream) == CUBLAS_STATUS_INVALID_VALUE);
    std::swap(products.found, other.found);
    REQUIRE(products.multiply(x, x, z, stream) == CUBLAS_STATUS_NOT_SUPPORTED);
    std::swap(products.a, other.a);
    REQUIRE(products.choose() == CUBLAS_STATUS_INVALID_VALUE);
    std::swap(products.a, other.a);
    OK(cuStreamSynchronize(stream));
    use(test_machine(1));
    cublasLtHandle_t handle;
    REQUIRE(cublasLtCreate(&handle) == CUBLAS_STATUS_NOT_INITIALIZED);
}

CHECK(fp8_product, "8-bit operands: their product, and what the library asks of them") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    Products products(CUDA_R_8F_E4M3, CUDA_R_32F, 16, 3, 32);
    int8_t off = 0;
    REQUIRE(
        cublasLtMatmulDescSetAttribute(products.desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &off, 1) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.choose() == CUBLAS_STATUS_SUCCESS);
    std::vector<uint8_t> weight(16 * 32, 0x38), x(3 * 32, 0); // 1
    x[0] = 0x7e, x[33] = 0xc4, x[64] = 0x01, x[65] = 0x01;     // 448; -3; 2^-9 twice
    CUdeviceptr y = allocate(16 * 3 * 4);
    REQUIRE(products.multiply(uploaded(weight), uploaded(x), y, stream) == CUBLAS_STATUS_SUCCESS);
    OK(cuStreamSynchronize(stream));
    std::vector<float> sums(48);
    OK(cuMemcpyDtoH_v2(sums.data(), y, 48 * 4));
    for (int i = 0; i < 48; ++i) REQUIRE(sums[(size_t)i] == (i < 16 ? 448.0f : i < 32 ? -3.0f : 0x1p-8f));
    Products narrow(CUDA_R_8F_E4M3, CUDA_R_32F, 16, 3, 24), odd(CUDA_R_8F_E4M3, CUDA_R_32F, 17, 3, 32);
    REQUIRE(narrow.choose() == CUBLAS_STATUS_NOT_SUPPORTED && odd.choose() == CUBLAS_STATUS_NOT_SUPPORTED);
    int straight = CUBLAS_OP_N;
    Products square(CUDA_R_8F_E4M3, CUDA_R_32F, 16, 16, 16);
    REQUIRE(
        cublasLtMatmulDescSetAttribute(square.desc, CUBLASLT_MATMUL_DESC_TRANSA, &straight, sizeof straight) ==
        CUBLAS_STATUS_SUCCESS);
    REQUIRE(square.choose() == CUBLAS_STATUS_NOT_SUPPORTED);
}

CHECK(workspace, "an algorithm that needs a workspace gets it, in memory that is alive") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    Products products(CUDA_R_16BF, CUDA_R_32F, 8, 4, 2048);
    uint64_t most = 1 << 20;
    REQUIRE(
        cublasLtMatmulPreferenceSetAttribute(
            products.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(products.choose() == CUBLAS_STATUS_SUCCESS && products.found.workspaceSize > 0);
    CUdeviceptr x = allocate(8 * 2048 * 2), z = allocate(128), room = allocate(products.found.workspaceSize);
    REQUIRE(products.multiply(x, x, z, stream) == CUBLAS_STATUS_INVALID_VALUE);
    float alpha = 1, beta = 0;
    auto multiply = [&] {
        return cublasLtMatmul(
            products.handle, products.desc, &alpha, (void *)x, products.a, (void *)x, products.b, &beta, (void *)z, products.d,
            (void *)z, products.d, &products.found.algo, (void *)room, products.found.workspaceSize, stream);
    };
    REQUIRE(multiply() == CUBLAS_STATUS_SUCCESS);
    OK(cuStreamSynchronize(stream));
    OK(cuMemFree_v2(room));
    REQUIRE(multiply() == CUBLAS_STATUS_SUCCESS);
    RETURNS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}
