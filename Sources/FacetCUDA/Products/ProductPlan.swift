import CCUDA
import FacetTensor

/// A form of product as the library knows it, and the kernel that it chose.
///
/// The library's matrices are column-major, so a row-major `[rows, columns]` is to it a `columns × rows` matrix. Then
/// `y = x · weightᵀ` reads, transposed, `D = A · B`:
///
///     D = yᵀ     outputs × rows
///     A = weight outputs × inputs, stored as inputs × outputs and therefore marked as transposed
///     B = xᵀ     inputs × rows
///
/// and a bias of `outputs` elements is added to every column of D, which is every row of y.
final class ProductPlan {
    let desc: cublasLtMatmulDesc_t?
    let a: cublasLtMatrixLayout_t?
    let b: cublasLtMatrixLayout_t?
    let d: cublasLtMatrixLayout_t?
    private(set) var algorithm = cublasLtMatmulAlgo_t()
    private(set) var workspaceByteCount = 0
    private let api: UnsafeMutablePointer<ccuda_cublaslt>

    /// Describes the product and asks for a kernel.
    ///
    /// - Throws: `.unsupportedProduct`, `.libraryCallFailed`.
    init(
        _ api: UnsafeMutablePointer<ccuda_cublaslt>, _ handle: cublasLtHandle_t, _ form: ProductForm,
        workspaceByteCount limit: Int
    ) throws(CUDAError) {
        guard let operand = form.operandType.cudaType, let result = form.resultType.cudaType,
            form.biasType == nil || form.biasType?.cudaType != nil
        else { throw .unsupportedProduct(form: "\(form)", reason: "the library is used for floating point only") }
        var desc: cublasLtMatmulDesc_t?
        var layouts: [cublasLtMatrixLayout_t?] = [nil, nil, nil]
        self.api = api
        var failure: CUDAError?
        do throws(CUDAError) {
            try CUBLASLt.check(
                api, api.pointee.matmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate")
            let sizes = [
                (operand, form.inputs, form.outputs), (operand, form.inputs, form.rows),
                (result, form.outputs, form.rows),
            ]
            for (index, (type, rows, columns)) in sizes.enumerated() {
                try CUBLASLt.check(
                    api,
                    api.pointee.matrixLayoutCreate(
                        &layouts[index], type, UInt64(rows), UInt64(columns), Int64(rows)),
                    "cublasLtMatrixLayoutCreate")
            }
        } catch { failure = error }
        self.desc = desc
        (a, b, d) = (layouts[0], layouts[1], layouts[2])
        if let failure { throw failure }
        try set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T)
        try set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N)
        if let bias = form.biasType?.cudaType {
            try set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS)
            try set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, bias)
        }
        if form.operandType == .float8E4M3 {
            // Sums in float32 throughout: the faster ones keep 14 bits of each part.
            try set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, Int8(0))
        }
        try choose(handle, form, limit)
    }

    deinit {
        for layout in [a, b, d] where layout != nil { _ = api.pointee.matrixLayoutDestroy(layout) }
        if desc != nil { _ = api.pointee.matmulDescDestroy(desc) }
    }

    /// Says where the bias is; it may be another one in each product.
    func set(bias: DeviceAddress) throws(CUDAError) { try set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.value) }

    private func set<Value: BitwiseCopyable>(
        _ attribute: cublasLtMatmulDescAttributes_t, _ value: Value
    ) throws(CUDAError) {
        let status = withUnsafeBytes(of: value) {
            api.pointee.matmulDescSetAttribute(desc, attribute, $0.baseAddress, $0.count)
        }
        try CUBLASLt.check(api, status, "cublasLtMatmulDescSetAttribute(\(attribute.rawValue))")
    }

    /// Takes the library's first choice.
    private func choose(_ handle: cublasLtHandle_t, _ form: ProductForm, _ limit: Int) throws(CUDAError) {
        var preference: cublasLtMatmulPreference_t?
        try CUBLASLt.check(
            api, api.pointee.matmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate")
        defer { _ = api.pointee.matmulPreferenceDestroy(preference) }
        let status = withUnsafeBytes(of: UInt64(limit)) {
            api.pointee.matmulPreferenceSetAttribute(
                preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, $0.baseAddress, $0.count)
        }
        try CUBLASLt.check(api, status, "cublasLtMatmulPreferenceSetAttribute")
        // A view of some rows begins at a multiple of the row's bytes; whatever else shares an allocation with it lets it
        // begin at a multiple of 16, which is all that the fastest kernels ask for.
        let rowBytes = form.inputs * form.operandType.byteCount
        let resultBytes = form.outputs * form.resultType.byteCount
        let alignments = [
            (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, rowBytes),
            (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, rowBytes),
            (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, resultBytes),
            (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, resultBytes),
        ]
        for (attribute, byteCount) in alignments {
            let alignment = UInt32(min(16, byteCount & -byteCount))
            let status = withUnsafeBytes(of: alignment) {
                api.pointee.matmulPreferenceSetAttribute(preference, attribute, $0.baseAddress, $0.count)
            }
            try CUBLASLt.check(api, status, "cublasLtMatmulPreferenceSetAttribute(\(attribute.rawValue))")
        }
        var found = cublasLtMatmulHeuristicResult_t()
        var count: Int32 = 0
        let asked = api.pointee.matmulAlgoGetHeuristic(handle, desc, a, b, d, d, preference, 1, &found, &count)
        guard asked == CUBLAS_STATUS_SUCCESS, count > 0, found.state == CUBLAS_STATUS_SUCCESS else {
            let status = asked == CUBLAS_STATUS_SUCCESS ? found.state : asked
            let reason = count == 0 && asked == CUBLAS_STATUS_SUCCESS ? "no kernel fits" : CUBLASLt.name(api, status)
            throw .unsupportedProduct(form: "\(form)", reason: reason)
        }
        algorithm = found.algo
        workspaceByteCount = found.workspaceSize
    }
}
