import FacetTensor

/// How rows of codes are multiplied, some rows at a time.
struct CodeProduct {
    /// Who multiplies.
    enum Way {
        case library(CUBLASLt)
        case tiles(CUDAKernel)
    }

    let way: Way
    let kernels: CodeKernels

    /// Bytes of a row of codes: the inputs, filled up to 16.
    let pitch: Int

    /// Rows that fit at a time.
    let rowsAtOnce: Int

    /// Where codes, scales and sums of one round lie.
    let codes: DeviceAddress
    let scales: DeviceAddress
    let sums: DeviceAddress

    /// Nil where the weights are not fp8 with a scale per row, or the card multiplies codes of no such product.
    init?(
        _ product: Product, _ kernels: CodeKernels?, _ scratch: DeviceBuffer?, _ use: Float8Use, _ library: CUBLASLt?
    ) {
        let layer = product.layer
        guard let kernels, let scratch, let matrix = layer.quantized, matrix.format == .float8,
            matrix.groupSize >= layer.inputs, layer.weight.isVectorAligned,
            layer.weight.shape.rowElementCount % 16 == 0
        else { return nil }
        let rows = product.x.rowCount
        let pitch = layer.weight.shape.rowElementCount
        func rowsAtOnce(_ bytesPerRow: Int) -> Int {
            let fitting = (scratch.byteCount - 512) / bytesPerRow
            return min(rows, fitting >= 128 ? fitting / 128 * 128 : fitting / 16 * 16)
        }
        func isComputed(_ library: CUBLASLt, _ atOnce: Int) -> Bool {
            guard layer.outputs % 16 == 0, atOnce > 0 else { return false }
            return [atOnce, rows % atOnce].allSatisfy { rows in
                rows == 0
                    || library.computes(.codes(rows: rows, inputs: pitch, outputs: layer.outputs))
            }
        }
        let (withSums, alone) = (rowsAtOnce(pitch + 4 + 4 * layer.outputs), rowsAtOnce(pitch + 4))
        switch use {
        case .storage: return nil
        case .library:
            if let library, isComputed(library, withSums) {
                (way, self.rowsAtOnce) = (.library(library), withSums)
            } else if let tiles = kernels.product, alone > 0 {
                (way, self.rowsAtOnce) = (.tiles(tiles), alone)
            } else {
                return nil
            }
        case .kernels:
            guard let tiles = kernels.product, alone > 0 else { return nil }
            (way, self.rowsAtOnce) = (.tiles(tiles), alone)
        }
        func aligned(_ byteCount: Int) -> Int { (byteCount + 255) / 256 * 256 }
        self.kernels = kernels
        self.pitch = pitch
        codes = scratch.address
        scales = codes + aligned(self.rowsAtOnce * pitch)
        sums = scales + aligned(self.rowsAtOnce * 4)
    }
}

extension CUDABackend {
    /// Rows become codes in their turn, each with a scale of its own: a row's result does not depend on the others.
    func multiply(_ product: Product, _ codes: CodeProduct) throws(TensorError) {
        let (x, layer, y) = (product.x, product.layer, product.y)
        for first in stride(from: 0, to: x.rowCount, by: codes.rowsAtOnce) {
            let range = first..<min(first + codes.rowsAtOnce, x.rowCount)
            let part = Product(x: x.rows(range), layer: layer, epilogue: product.epilogue, y: y.rows(range))
            try launch(
                codes.kernels.quantizeRows, grid: Dimensions(range.count), threads: 256, part.x.deviceAddress,
                Int32(layer.inputs), Int32(codes.pitch), codes.codes, codes.scales)
            switch codes.way {
            case .tiles(let kernel): try multiply(part, codes, kernel)
            case .library(let library): try multiply(part, codes, library)
            }
        }
    }

    private func multiply(
        _ product: Product, _ codes: CodeProduct, _ kernel: CUDAKernel
    ) throws(TensorError) {
        let (layer, y) = (product.layer, product.y)
        let weight = WeightArguments(layer)
        try launch(
            kernel, grid: Dimensions(blocks(layer.outputs, 128), blocks(y.rowCount, 128)), threads: 256, codes.codes,
            codes.scales, Int32(y.rowCount), weight.codes, weight.rowByteCount, weight.scales, weight.scaleType,
            weight.scaleStride, weight.group, Int32(layer.outputs), layer.bias?.deviceAddress ?? .null,
            layer.bias?.dtype.kernelCode ?? 0, product.epilogue.kernelCode, y.deviceAddress, y.dtype.kernelCode)
    }

    private func multiply(
        _ product: Product, _ codes: CodeProduct, _ library: CUBLASLt
    ) throws(TensorError) {
        let (layer, y) = (product.layer, product.y)
        let weight = WeightArguments(layer)
        try tensors.run { () throws(CUDAError) in
            try library.multiply(
                .codes(rows: y.rowCount, inputs: codes.pitch, outputs: layer.outputs), x: codes.codes,
                weight: weight.codes, bias: nil, into: codes.sums, on: tensors.stream)
        }
        try launch(
            codes.kernels.finish, grid: Dimensions(blocks(layer.outputs, 1024), y.rowCount), threads: 256, codes.sums,
            codes.scales, Int32(y.rowCount), weight.scales, weight.scaleType, weight.scaleStride, Int32(layer.outputs),
            layer.bias?.deviceAddress ?? .null, layer.bias?.dtype.kernelCode ?? 0, product.epilogue.kernelCode,
            y.deviceAddress, y.dtype.kernelCode)
    }
}
