public import FacetTensor

extension CUDABackend {
    public func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatherRows"
        try requireFloat(table, "table", in: operation)
        let kernels = try kernels(of: y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        let width = table.shape.rowElementCount
        try require(y, rows: y.rowCount, width: width, "y", in: operation)
        try requireIndices(indices, count: y.rowCount, "indices", in: operation)
        try launch(
            kernels.gatherRows, grid: Dimensions(y.rowCount), threads: 256, table.deviceAddress,
            table.dtype.kernelCode, indices.deviceAddress, Int32(width), y.deviceAddress)
    }

    public func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        let operation = "patchify"
        try requireHere(pixels, "pixels", in: operation)
        guard pixels.dtype == .float32 else {
            throw .unsupportedDType(
                operation: operation, argument: "pixels", expected: "float32", got: pixels.dtype)
        }
        let shape = pixels.shape
        try require(
            shape.rank == 4 && shape[2] == shape[3] && patch > 0 && shape[2] % patch == 0, pixels, "pixels",
            "[images, channels, side, side] with a side that \(patch) divides", in: operation)
        let grid = shape[2] / patch
        let kernels = try kernels(of: y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        try require(y, rows: shape[0] * grid * grid, width: shape[1] * patch * patch, "y", in: operation)
        try launch(
            kernels.patchify, grid: Dimensions(y.rowCount), threads: 256, pixels.deviceAddress, Int32(shape[1]),
            Int32(shape[2]), Int32(patch), y.deviceAddress)
    }

    public func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        let operation = "gatherNeighborhoods"
        let kernels = try kernels(of: grid, "grid", in: operation)
        try require(
            side > 0 && side % 2 == 0 && grid.rowCount == side * side, grid, "grid",
            "[side · side, channels] with the even side \(side)", in: operation)
        try requireResult(y, grid.dtype, "y", in: operation)
        let channels = grid.shape.rowElementCount
        try require(y, rows: (side / 2) * (side / 2), width: 4 * channels, "y", in: operation)
        try launch(
            kernels.gatherNeighborhoods, grid: Dimensions(y.rowCount), threads: 256, grid.deviceAddress, Int32(side),
            Int32(channels), y.deviceAddress)
    }
}
