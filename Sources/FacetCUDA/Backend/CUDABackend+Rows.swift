public import FacetTensor

extension CUDABackend {
    public func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        let kernels = try kernels(of: y, "y", in: "gatherRows")
        try requireRows(of: table, indices, into: y)
        try launch(
            kernels.gatherRows, grid: Dimensions(y.rowCount), threads: 256, table.deviceAddress,
            table.dtype.kernelCode, indices.deviceAddress, Int32(table.shape.rowElementCount),
            y.deviceAddress)
    }

    public func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        let kernels = try kernels(of: y, "y", in: "patchify")
        try requirePatches(of: pixels, patch: patch, into: y)
        let shape = pixels.shape
        try launch(
            kernels.patchify, grid: Dimensions(y.rowCount), threads: 256, pixels.deviceAddress, Int32(shape[1]),
            Int32(shape[2]), Int32(patch), y.deviceAddress)
    }

    public func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        let kernels = try kernels(of: grid, "grid", in: "gatherNeighborhoods")
        try requireNeighborhoods(of: grid, side: side, into: y)
        let channels = grid.shape.rowElementCount
        try launch(
            kernels.gatherNeighborhoods, grid: Dimensions(y.rowCount), threads: 256, grid.deviceAddress, Int32(side),
            Int32(channels), y.deviceAddress)
    }
}
