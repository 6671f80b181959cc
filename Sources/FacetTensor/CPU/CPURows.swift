import CCPU

extension CPUBackend {
    public func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatherRows"
        try requireHostFloat(table, "table", in: operation)
        try requireRowFits(table, "table", in: operation)
        try requireActivation(y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        let width = table.shape.rowElementCount
        try require(y, rows: y.rowCount, width: width, "y", in: operation)
        let rows = try self.indices(indices, count: y.rowCount, "indices", in: operation)
        try require(rows, in: Int(Int32.min)..<table.rowCount, "indices", in: operation)
        cc_gather_rows(
            engine, table.address, table.dtype.code, rows.baseAddress, y.rowCount, width, y.address, y.dtype.code)
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
        try requireActivation(y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        try require(y, rows: shape[0] * grid * grid, width: shape[1] * patch * patch, "y", in: operation)
        cc_patchify(
            engine, pixels.address.assumingMemoryBound(to: Float.self), shape[0], shape[1], shape[2], patch,
            y.address, y.dtype.code)
    }

    public func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        let operation = "gatherNeighborhoods"
        try requireActivation(grid, "grid", in: operation)
        try require(
            side > 0 && side % 2 == 0 && grid.rowCount == side * side, grid, "grid",
            "[side · side, channels] with the even side \(side)", in: operation)
        try requireResult(y, grid.dtype, "y", in: operation)
        let channels = grid.shape.rowElementCount
        try require(y, rows: (side / 2) * (side / 2), width: 4 * channels, "y", in: operation)
        cc_gather_neighborhoods(engine, grid.address, grid.dtype.code, side, channels, y.address)
    }
}
