// cuBLASLt: descriptors, heuristics and the product, with what the real library leaves to undefined behavior refused.
#include "access.h"
#include "call.h"
#include "guard.h"
#include "product.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

struct cublasLtContext {
    cudasim::Device *device;
};

struct cublasLtMatmulDescOpaque {
    cublasComputeType_t compute;
    int transposes_a, transposes_b, epilogue;
    uint64_t bias;
    int bias_type; // -1: that of d
    int8_t fast_accumulation;
};

struct cublasLtMatrixLayoutOpaque {
    cudaDataType_t type;
    uint64_t rows, cols;
    int64_t ld;
};

struct cublasLtMatmulPreferenceOpaque {
    uint64_t workspace;
    uint32_t alignment[4]; // a, b, c, d
};

using namespace cudasim;

namespace {

struct LtFailure {
    cublasStatus_t status;
    std::string why;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void refuse(cublasStatus_t status, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    throw LtFailure{status, line};
}

// The frame of every call: lock, faults of the script (their code is a cublasStatus_t), trace.
template <class Body> cublasStatus_t lt_call(const char *name, Body body) {
    Call call(name);
    try {
        Meeting meeting = call.sim.faults.meet(name, -1);
        if (meeting.code) refuse((cublasStatus_t)meeting.code, "a fault of the script");
        body(call);
    } catch (const LtFailure &failure) {
        call.end(CUDA_ERROR_INVALID_VALUE, failure.why);
        return failure.status;
    } catch (const Failure &failure) {
        call.end(failure.code, failure.why);
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    call.end(CUDA_SUCCESS, "");
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> void need_value(T *pointer, const char *what) {
    if (!pointer) refuse(CUBLAS_STATUS_INVALID_VALUE, "%s is null", what);
}

template <class T> void take(T *field, const void *value, size_t bytes, const char *what) {
    need_value(value, what);
    if (bytes != sizeof(T)) refuse(CUBLAS_STATUS_INVALID_VALUE, "%s takes %zu bytes, not %zu", what, sizeof(T), bytes);
    memcpy(field, value, bytes);
}

const uint64_t algorithm_mark = 0x46414345544C5401u;

// What an algorithm was found for; a product that differs must ask again.
uint64_t signature(
    const cublasLtMatmulDescOpaque &desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t d) {
    uint64_t words[21];
    size_t count = 0;
    for (cublasLtMatrixLayout_t layout : {a, b, c, d}) {
        words[count++] = (uint64_t)layout->type;
        words[count++] = layout->rows;
        words[count++] = layout->cols;
        words[count++] = (uint64_t)layout->ld;
    }
    for (int value : {(int)desc.compute, desc.transposes_a, desc.transposes_b, desc.epilogue, (int)desc.fast_accumulation}) {
        words[count++] = (uint64_t)value;
    }
    return fingerprint(words, count * 8);
}

void check_layouts(
    const cublasLtMatmulDescOpaque &desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t d) {
    uint64_t m = desc.transposes_a ? a->cols : a->rows, k = desc.transposes_a ? a->rows : a->cols;
    uint64_t n = desc.transposes_b ? b->rows : b->cols, k_of_b = desc.transposes_b ? b->cols : b->rows;
    bool fits = k == k_of_b && d->rows == m && d->cols == n && c->rows == m && c->cols == n;
    if (!fits) {
        refuse(
            CUBLAS_STATUS_INVALID_VALUE, "op(a) is %llu x %llu, op(b) %llu x %llu, c %llu x %llu, d %llu x %llu",
            (unsigned long long)m, (unsigned long long)k, (unsigned long long)k_of_b, (unsigned long long)n,
            (unsigned long long)c->rows, (unsigned long long)c->cols, (unsigned long long)d->rows,
            (unsigned long long)d->cols);
    }
}

// What the library asks of 8-bit operands: the "TN" form, and sizes that are multiples of 16.
void check_fp8(
    const cublasLtMatmulDescOpaque &desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t d,
    const Device &device) {
    if (!device.at_least(8, 9)) {
        refuse(CUBLAS_STATUS_ARCH_MISMATCH, "fp8 needs compute capability 8.9; device %d is older", device.ordinal);
    }
    if (!desc.transposes_a || desc.transposes_b) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "fp8 needs a transposed, b not");
    if (desc.compute != CUBLAS_COMPUTE_32F) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "fp8 is summed in float32");
    if (a->rows % 16 || a->ld % 16 || b->ld % 16 || d->rows % 16 || d->ld % 16) {
        refuse(
            CUBLAS_STATUS_NOT_SUPPORTED, "fp8 needs multiples of 16: depth %llu, leading dimensions %lld, %lld, %lld",
            (unsigned long long)a->rows, (long long)a->ld, (long long)b->ld, (long long)d->ld);
    }
    if (desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
        refuse(CUBLAS_STATUS_NOT_SUPPORTED, "fp8 with a bias is not simulated: scales come before it");
    }
}

void check_types(
    const cublasLtMatmulDescOpaque &desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t d, const Device &device) {
    if (a->type != b->type) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a and b have types %d and %d", a->type, b->type);
    if (c->type != d->type) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "c and d have types %d and %d", c->type, d->type);
    if (d->type != a->type && d->type != CUDA_R_32F) {
        refuse(CUBLAS_STATUS_NOT_SUPPORTED, "d has type %d where a has %d: the same or float32", d->type, a->type);
    }
    if (a->type == CUDA_R_8F_E4M3) check_fp8(desc, a, b, d, device);
    if (a->type == CUDA_R_16BF && !device.at_least(8, 0)) {
        refuse(CUBLAS_STATUS_ARCH_MISMATCH, "bf16 needs compute capability 8.0; device %d is older", device.ordinal);
    }
    if (desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a->type != CUDA_R_32F) {
        refuse(CUBLAS_STATUS_NOT_SUPPORTED, "TF32 is for float32 operands");
    }
}

uint64_t workspace_of(const cublasLtMatrixLayoutOpaque &a, const cublasLtMatrixLayoutOpaque &d) {
    // Products that are deep and narrow are split along their depth; the parts need room.
    uint64_t depth = std::max(a.rows, a.cols), split = depth >= 2048 ? 4 : 0;
    return std::min<uint64_t>(split * d.rows * d.cols * 4, 32u << 20);
}

class ProductWork final : public Work {
  public:
    ProductWork(const Product &product, uint64_t workspace, size_t workspace_bytes)
        : product(product), workspace(workspace), workspace_bytes(workspace_bytes) {}

    const char *kind() const override { return "kernel"; }
    std::string fault_name() const override { return "run:kernel:cublasLtMatmul"; }
    std::string describe() const override {
        return text(
            "cublasLtMatmul %llu x %llu x %llu", (unsigned long long)product.d.rows, (unsigned long long)product.d.cols,
            (unsigned long long)product.depth());
    }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<ProductWork>(*this); }

    void run(Execution &execution) override {
        check(execution.device);
        uintptr_t address = 0;
        bool fine = true;
        execution.unlocked([&] {
            fine = run_guarded([&] { product.compute(); }, &address);
            // The workspace is scratch: what was in it is gone.
            if (fine && workspace_bytes) fine = run_guarded([&] { memset((void *)workspace, 0xFF, workspace_bytes); }, &address);
        });
        if (!fine) fail(CUDA_ERROR_ILLEGAL_ADDRESS, "it touched %s", simulator().memory.describe(address).c_str());
        check(execution.device);
    }

  private:
    Product product;
    uint64_t workspace;
    size_t workspace_bytes;

    void check(const Device &device) const {
        check_access(device, product.a.address, product.a.bytes(), "matrix a");
        check_access(device, product.b.address, product.b.bytes(), "matrix b");
        if (product.beta != 0) check_access(device, product.c.address, product.c.bytes(), "matrix c");
        check_access(device, product.d.address, product.d.bytes(), "matrix d");
        size_t bias_bytes = product.bias ? product.d.rows * (product.bias_type == CUDA_R_32F ? 4 : 2) : 0;
        check_access(device, product.bias, bias_bytes, "the bias");
        check_access(device, workspace, workspace_bytes, "the workspace");
    }
};

Matrix matrix(cublasLtMatrixLayout_t layout, const void *address) {
    return {layout->type, layout->rows, layout->cols, layout->ld, (uint64_t)address};
}

void check_alignment(const cublasLtMatmulAlgo_t &algo, const Product &product) {
    const Matrix *matrices[] = {&product.a, &product.b, &product.c, &product.d};
    for (int i = 0; i < 4; ++i) {
        uint64_t needed = algo.data[2] >> (16 * i) & 0xffff;
        if (i == 2 && product.beta == 0) continue;
        if (needed && matrices[i]->address % needed) {
            refuse(
                CUBLAS_STATUS_INVALID_VALUE, "matrix %c at 0x%llx; the algorithm was chosen for %llu-byte alignment", "abcd"[i],
                (unsigned long long)matrices[i]->address, (unsigned long long)needed);
        }
    }
}

} // namespace

size_t cublasLtGetVersion(void) { return 120900; }

const char *cublasLtGetStatusName(cublasStatus_t status) {
    switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "CUBLAS_STATUS unknown";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    return lt_call("cublasLtCreate", [&](Call &call) {
        need_value(handle, "handle");
        std::vector<CUcontext> &stack = context_stack();
        if (!call.sim.initialized || stack.empty()) refuse(CUBLAS_STATUS_NOT_INITIALIZED, "there is no current context");
        *handle = new cublasLtContext{&call.sim.current()};
    });
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    return lt_call("cublasLtDestroy", [&](Call &) {
        need_value(handle, "handle");
        delete handle;
    });
}

cublasStatus_t cublasLtMatmulDescCreate(
    cublasLtMatmulDesc_t *desc, cublasComputeType_t computeType, cudaDataType_t scaleType) {
    return lt_call("cublasLtMatmulDescCreate", [&](Call &) {
        need_value(desc, "desc");
        bool known = computeType == CUBLAS_COMPUTE_32F || computeType == CUBLAS_COMPUTE_32F_FAST_TF32;
        if (!known || scaleType != CUDA_R_32F) {
            refuse(CUBLAS_STATUS_NOT_SUPPORTED, "compute type %d with scale type %d", computeType, scaleType);
        }
        *desc = new cublasLtMatmulDescOpaque{computeType, 0, 0, CUBLASLT_EPILOGUE_DEFAULT, 0, -1, 0};
    });
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(
    cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes) {
    return lt_call("cublasLtMatmulDescSetAttribute", [&](Call &) {
        need_value(desc, "desc");
        switch (attribute) {
        case CUBLASLT_MATMUL_DESC_TRANSA: return take(&desc->transposes_a, value, bytes, "TRANSA");
        case CUBLASLT_MATMUL_DESC_TRANSB: return take(&desc->transposes_b, value, bytes, "TRANSB");
        case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(&desc->epilogue, value, bytes, "EPILOGUE");
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(&desc->bias, value, bytes, "BIAS_POINTER");
        case CUBLASLT_MATMUL_DESC_FAST_ACCUM: return take(&desc->fast_accumulation, value, bytes, "FAST_ACCUM");
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return take(&desc->bias_type, value, bytes, "BIAS_DATA_TYPE");
        }
        refuse(CUBLAS_STATUS_NOT_SUPPORTED, "attribute %d of a product is not simulated", (int)attribute);
    });
}

cublasStatus_t cublasLtMatrixLayoutCreate(
    cublasLtMatrixLayout_t *layout, cudaDataType_t type, uint64_t rows, uint64_t cols, int64_t ld) {
    return lt_call("cublasLtMatrixLayoutCreate", [&](Call &) {
        need_value(layout, "layout");
        bool known = type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF || type == CUDA_R_8F_E4M3;
        if (!known) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "matrices of type %d are not simulated", (int)type);
        if (rows == 0 || cols == 0 || ld < (int64_t)rows) {
            refuse(
                CUBLAS_STATUS_INVALID_VALUE, "%llu rows, %llu columns, leading dimension %lld", (unsigned long long)rows,
                (unsigned long long)cols, (long long)ld);
        }
        *layout = new cublasLtMatrixLayoutOpaque{type, rows, cols, ld};
    });
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    return lt_call("cublasLtMatmulPreferenceCreate", [&](Call &) {
        need_value(preference, "preference");
        // As documented: no workspace, and operands as aligned as fresh allocations.
        *preference = new cublasLtMatmulPreferenceOpaque{0, {256, 256, 256, 256}};
    });
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
    size_t bytes) {
    return lt_call("cublasLtMatmulPreferenceSetAttribute", [&](Call &) {
        need_value(preference, "preference");
        if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
            return take(&preference->workspace, value, bytes, "MAX_WORKSPACE_BYTES");
        }
        int index = (int)attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
        if (index < 0 || index > 3) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "preference %d is not simulated", (int)attribute);
        uint32_t alignment = 0;
        take(&alignment, value, bytes, "MIN_ALIGNMENT");
        if (alignment == 0 || alignment & (alignment - 1) || alignment > 256) {
            refuse(CUBLAS_STATUS_INVALID_VALUE, "an alignment of %u bytes", alignment);
        }
        preference->alignment[index] = alignment;
    });
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
    cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int requested,
    cublasLtMatmulHeuristicResult_t *results, int *count) {
    return lt_call("cublasLtMatmulAlgoGetHeuristic", [&](Call &) {
        need_value(count, "count");
        *count = 0;
        bool given = handle && desc && a && b && c && d && preference && results && requested > 0;
        if (!given) refuse(CUBLAS_STATUS_INVALID_VALUE, "something is null, or no result is asked for");
        check_layouts(*desc, a, b, c, d);
        check_types(*desc, a, b, c, d, *handle->device);
        memset(&results[0], 0, sizeof results[0]);
        results[0].algo.data[0] = algorithm_mark;
        results[0].algo.data[1] = signature(*desc, a, b, c, d);
        for (int i = 0; i < 4; ++i) results[0].algo.data[2] |= (uint64_t)preference->alignment[i] << (16 * i);
        uint64_t wanted = workspace_of(*a, *d);
        results[0].workspaceSize = wanted <= preference->workspace ? wanted : 0;
        results[0].algo.data[3] = results[0].workspaceSize;
        results[0].wavesCount = 1;
        *count = 1;
    });
}

cublasStatus_t cublasLtMatmul(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
    cublasLtMatrixLayout_t aLayout, const void *b, cublasLtMatrixLayout_t bLayout, const void *beta, const void *c,
    cublasLtMatrixLayout_t cLayout, void *d, cublasLtMatrixLayout_t dLayout, const cublasLtMatmulAlgo_t *algo,
    void *workspace, size_t workspaceBytes, CUstream stream) {
    return lt_call("cublasLtMatmul", [&](Call &call) {
        bool given = handle && desc && alpha && beta && aLayout && bLayout && cLayout && dLayout && algo;
        if (!given) refuse(CUBLAS_STATUS_INVALID_VALUE, "something is null");
        check_layouts(*desc, aLayout, bLayout, cLayout, dLayout);
        check_types(*desc, aLayout, bLayout, cLayout, dLayout, *handle->device);
        bool found_here = algo->data[0] == algorithm_mark &&
                          algo->data[1] == signature(*desc, aLayout, bLayout, cLayout, dLayout);
        if (!found_here) refuse(CUBLAS_STATUS_NOT_SUPPORTED, "the algorithm was found for another product");
        if (workspaceBytes < algo->data[3] || (algo->data[3] && (uint64_t)workspace % 16)) {
            refuse(
                CUBLAS_STATUS_INVALID_VALUE, "a workspace of %zu bytes at %p; the algorithm needs %llu, aligned to 16",
                workspaceBytes, workspace, (unsigned long long)algo->data[3]);
        }
        Product product;
        product.a = matrix(aLayout, a);
        product.b = matrix(bLayout, b);
        product.c = matrix(cLayout, c);
        product.d = matrix(dLayout, d);
        product.transposes_a = desc->transposes_a == CUBLAS_OP_T;
        product.transposes_b = desc->transposes_b == CUBLAS_OP_T;
        memcpy(&product.alpha, alpha, 4);
        memcpy(&product.beta, beta, 4);
        if (desc->epilogue == CUBLASLT_EPILOGUE_BIAS) {
            if (!desc->bias) refuse(CUBLAS_STATUS_INVALID_VALUE, "a bias epilogue without a bias");
            product.bias = desc->bias;
            product.bias_type = desc->bias_type < 0 ? dLayout->type : (cudaDataType_t)desc->bias_type;
        } else if (desc->epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
            refuse(CUBLAS_STATUS_NOT_SUPPORTED, "epilogue %d is not simulated", desc->epilogue);
        }
        check_alignment(*algo, product);
        std::shared_ptr<Stream> found = call.in(stream);
        if (found->device != handle->device) {
            refuse(CUBLAS_STATUS_INVALID_VALUE, "a handle of device %d, a stream of device %d", handle->device->ordinal, found->device->ordinal);
        }
        submit(found, std::make_shared<ProductWork>(product, (uint64_t)workspace, algo->data[3]), call.lock);
    });
}
