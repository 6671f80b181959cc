public import FacetTensor

extension CUDABackend {
    /// Largest number of rows whose products read weights without tensor cores: memory bounds them.
    public static let fewRowLimit = 8

    public func linear(
        _ x: Tensor, _ layer: LinearWeights, epilogue: LinearEpilogue, into y: Tensor
    ) throws(TensorError) {
        let operation = "linear"
        let kernels = try kernels(of: x, "x", in: operation)
        try require(x, rows: x.rowCount, width: layer.inputs, "x", in: operation)
        try requireOutput(y, "y", in: operation)
        guard y.dtype == x.dtype || y.dtype == .float32 else {
            throw .unsupportedDType(
                operation: operation, argument: "y", expected: "\(x.dtype) or float32", got: y.dtype)
        }
        try require(y, rows: x.rowCount, width: layer.outputs, "y", in: operation)
        try requireHere(layer.weight, "weight", in: operation)
        guard x.rowCount > 0 else { return }
        let product = Product(x: x, layer: layer, epilogue: epilogue, y: y)
        switch path(of: product, kernels) {
        case .fewRows(let size, let kernel):
            let grid = Dimensions(blocks(layer.outputs, 4), blocks(x.rowCount, size))
            try launch(product, kernel, grid, threads: 128)
        case .tensorCores(let rows, let kernel):
            let columns = rows == 16 ? 64 : 128
            let grid = Dimensions(blocks(layer.outputs, columns), blocks(x.rowCount, rows))
            try launch(product, kernel, grid, threads: rows == 16 ? 128 : 256)
        case .library(let form, let library):
            try multiply(product, form, library, kernels)
        case .codes(let codes):
            try multiply(product, codes)
        case .plain:
            try launchPlain(product)
        }
    }

    private func path(of product: Product, _ kernels: ActivationKernels) -> ProductPath {
        let codes = CodeProduct(product, kernels.codes, scratch.codes, float8Use, library)
        return ProductPath(product, kernels, library: library, codes: codes)
    }

    private func launch(
        _ product: Product, _ kernel: CUDAKernel, _ grid: Dimensions, threads: Int
    ) throws(TensorError) {
        let (x, layer, y) = (product.x, product.layer, product.y)
        let weight = WeightArguments(layer)
        try launch(
            kernel, grid: grid, threads: threads, x.deviceAddress, Int32(x.rowCount), Int32(layer.inputs), weight.codes,
            weight.rowByteCount, weight.scales, weight.scaleType, weight.scaleStride, weight.group,
            Int32(layer.outputs), layer.bias?.deviceAddress ?? .null, layer.bias?.dtype.kernelCode ?? 0,
            product.epilogue.kernelCode, y.deviceAddress, y.dtype.kernelCode)
    }

    private func launchPlain(_ product: Product) throws(TensorError) {
        let (x, layer, y) = (product.x, product.layer, product.y)
        let weight = WeightArguments(layer)
        try launch(
            productPlain, grid: Dimensions(blocks(layer.outputs, 64), blocks(x.rowCount, 64)), threads: 256,
            x.deviceAddress, x.dtype.kernelCode, Int32(x.rowCount), Int32(layer.inputs), WeightKind(layer).kernelCode,
            weight.codes, weight.rowByteCount, weight.scales, weight.scaleType, weight.scaleStride, weight.group,
            Int32(layer.outputs), layer.bias?.deviceAddress ?? .null, layer.bias?.dtype.kernelCode ?? 0,
            product.epilogue.kernelCode, y.deviceAddress, y.dtype.kernelCode)
    }

    /// The library's own GELU is an approximation, so the exact one follows as a kernel.
    private func multiply(
        _ product: Product, _ form: ProductForm, _ library: CUBLASLt, _ kernels: ActivationKernels
    ) throws(TensorError) {
        let (x, layer, y) = (product.x, product.layer, product.y)
        try tensors.run { () throws(CUDAError) in
            try library.multiply(
                form, x: x.deviceAddress, weight: layer.weight.deviceAddress, bias: layer.bias?.deviceAddress,
                into: y.deviceAddress, on: tensors.stream)
        }
        guard product.epilogue == .gelu else { return }
        let count = y.shape.elementCount
        try launch(kernels.gelu, grid: elementGrid(count), threads: 256, y.deviceAddress, Int64(count))
    }

    func blocks(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }
}

/// A product whose operands have been checked.
struct Product {
    let x: Tensor
    let layer: LinearWeights
    let epilogue: LinearEpilogue
    let y: Tensor
}

/// Which code computes a product.
enum ProductPath {
    /// Dot products, so many rows per block: memory bounds them.
    case fewRows(size: Int, CUDAKernel)
    /// Tiles of so many rows on tensor cores.
    case tensorCores(rows: Int, CUDAKernel)
    /// cuBLASLt.
    case library(ProductForm, CUBLASLt)
    /// Rows become 8-bit floating point as the weights are.
    case codes(CodeProduct)
    /// float32 arithmetic for any types.
    case plain

    init(_ product: Product, _ kernels: ActivationKernels, library: CUBLASLt?, codes: CodeProduct?) {
        let (x, layer) = (product.x, product.layer)
        let kind = WeightKind(layer)
        let rows = x.rowCount
        if rows <= CUDABackend.fewRowLimit, x.isVectorAligned, let gemv = kernels.gemv[kind]?.nearest(rows) {
            self = .fewRows(size: gemv.size, gemv.kernel)
            return
        }
        let tiles = x.isVectorAligned ? kernels.product[kind]?.nearest(rows) : nil
        if let tiles, tiles.size == 16 {
            self = .tensorCores(rows: 16, tiles.kernel)
        } else if let codes {
            self = .codes(codes)
        } else if let library, let form = ProductForm(product), library.computes(form) {
            self = .library(form, library)
        } else if let tiles {
            self = .tensorCores(rows: tiles.size, tiles.kernel)
        } else {
            self = .plain
        }
    }
}

extension ProductForm {
    /// The form in which cuBLASLt may compute a product; nil for quantized weights and mixed types.
    init?(_ product: Product) {
        let (x, layer, y) = (product.x, product.layer, product.y)
        guard layer.quantized == nil, layer.weight.dtype == x.dtype, x.isVectorAligned,
            layer.weight.isVectorAligned, y.isVectorAligned,
            product.epilogue != .gelu || y.dtype == x.dtype,
            layer.bias == nil || layer.bias?.dtype == y.dtype
        else { return nil }
        self.init(
            rows: x.rowCount, inputs: layer.inputs, outputs: layer.outputs, operandType: x.dtype,
            resultType: y.dtype, biasType: layer.bias?.dtype, accumulates: product.epilogue == .addResidual)
    }
}
