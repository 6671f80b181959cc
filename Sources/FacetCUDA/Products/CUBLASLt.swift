import CCUDA

/// NVIDIA's matrix products, for one card: many rows of activations times a weight matrix.
///
/// What it chooses for a form of product is asked once and kept; nothing is allocated later. Confined to its backend's
/// thread.
public final class CUBLASLt {
    /// The file that was opened.
    public let path: String

    /// The library's version, such as 130002.
    public let version: Int

    private let context: CUDAContext
    private let api: UnsafeMutablePointer<ccuda_cublaslt>
    private let handle: cublasLtHandle_t
    private let workspace: DeviceBuffer
    private var plans: [ProductForm: ProductPlan] = [:]
    private var refused: Set<ProductForm> = []

    /// Opens the library for a card.
    ///
    /// - Parameters:
    ///   - workspace: memory that products may use while they run; 32 MiB on Hopper, 4 MiB elsewhere do.
    /// - Throws: `.libraryMissing` with the package that brings it, `.symbolMissing`, `.libraryCallFailed`.
    public init(
        _ context: CUDAContext, workspace: DeviceBuffer, _ search: LibrarySearch = LibrarySearch()
    ) throws(CUDAError) {
        let library = try OpenLibrary(.cublasLt, search, cudaMajor: context.driver.version.major)
        let api = try library.table { ccuda_cublaslt_load($0, $1) }
        try context.makeCurrent()
        var handle: cublasLtHandle_t?
        try Self.check(api, api.pointee.create(&handle), "cublasLtCreate")
        guard let handle else {
            throw .libraryCallFailed(library: .cublasLt, call: "cublasLtCreate", result: "no handle")
        }
        self.context = context
        self.api = api
        self.handle = handle
        self.workspace = workspace
        path = library.path
        version = api.pointee.getVersion()
    }

    deinit { _ = api.pointee.destroy(handle) }

    /// Forms of products that have been chosen for.
    public var planCount: Int { plans.count }

    /// Asks the library for its best kernel for a form, so that the first product does not.
    ///
    /// - Throws: `.unsupportedProduct` when it has none: then another kernel has to do it.
    public func prepare(_ form: ProductForm) throws(CUDAError) { _ = try plan(form) }

    /// Whether the library has a kernel for a form; asked once.
    func computes(_ form: ProductForm) -> Bool {
        if plans[form] != nil { return true }
        if refused.contains(form) { return false }
        if (try? prepare(form)) != nil { return true }
        refused.insert(form)
        return false
    }

    /// Enqueues `y = x · weightᵀ (+ bias) (+ y)`, accumulated in float32.
    ///
    /// - Parameters:
    ///   - x: `[rows, inputs]`, dense.
    ///   - weight: `[outputs, inputs]`, dense.
    ///   - bias: `[outputs]`; exactly when the form has one.
    ///   - y: `[rows, outputs]`, dense.
    ///
    /// `x`, `weight` and `y` begin at multiples of 16 bytes, or of a row's.
    /// - Throws: `.unsupportedProduct`, `.libraryCallFailed`, `.contextLost`.
    public func multiply(
        _ form: ProductForm, x: DeviceAddress, weight: DeviceAddress, bias: DeviceAddress?, into y: DeviceAddress,
        on stream: CUDAStream
    ) throws(CUDAError) {
        guard stream.context === context else {
            throw .invalidArgument(
                call: "CUBLASLt.multiply", argument: "stream", expected: "of \(context.device)",
                got: "of \(stream.context.device)")
        }
        guard (bias != nil) == (form.biasType != nil) else {
            throw .invalidArgument(
                call: "CUBLASLt.multiply", argument: "bias", expected: form.biasType == nil ? "nil" : "given",
                got: bias == nil ? "nil" : "given")
        }
        if let error = context.lossReason { throw error }
        let plan = try plan(form)
        try context.makeCurrent()
        if let bias { try plan.set(bias: bias) }
        let (alpha, beta): (Float, Float) = (1, form.accumulates ? 1 : 0)
        var algorithm = plan.algorithm
        let status = withUnsafePointer(to: alpha) { alpha in
            withUnsafePointer(to: beta) { beta in
                api.pointee.matmul(
                    handle, plan.desc, alpha, Self.pointer(weight), plan.a, Self.pointer(x), plan.b, beta,
                    Self.pointer(y), plan.d, Self.mutablePointer(y), plan.d, &algorithm,
                    Self.mutablePointer(workspace.address), plan.workspaceByteCount, stream.handle)
            }
        }
        try Self.check(api, status, "cublasLtMatmul")
    }

    private func plan(_ form: ProductForm) throws(CUDAError) -> ProductPlan {
        if let plan = plans[form] { return plan }
        try context.makeCurrent()
        let plan = try ProductPlan(api, handle, form, workspaceByteCount: workspace.byteCount)
        plans[form] = plan
        return plan
    }

    /// Throws what a status means.
    static func check(
        _ api: UnsafeMutablePointer<ccuda_cublaslt>, _ status: cublasStatus_t, _ call: String
    ) throws(CUDAError) {
        guard status != CUBLAS_STATUS_SUCCESS else { return }
        throw .libraryCallFailed(library: .cublasLt, call: call, result: name(api, status))
    }

    /// A status's name.
    static func name(_ api: UnsafeMutablePointer<ccuda_cublaslt>, _ status: cublasStatus_t) -> String {
        api.pointee.getStatusName(status).map { String(cString: $0) } ?? "status \(status.rawValue)"
    }

    private static func pointer(_ address: DeviceAddress) -> UnsafeRawPointer? {
        UnsafeRawPointer(bitPattern: UInt(address.value))
    }

    private static func mutablePointer(_ address: DeviceAddress) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: UInt(address.value))
    }
}
