import CCPU

extension CPUBackend {
    public func gatherRows(_ table: Tensor, _ indices: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatherRows"
        try requireRows(of: table, indices, into: y)
        try requireRowFits(table, "table", in: operation)
        try requireActivation(y, "y", in: operation)
        let width = table.shape.rowElementCount
        let rows = try self.indices(indices, count: y.rowCount, "indices", in: operation)
        try require(rows, in: Int(Int32.min)..<table.rowCount, "indices", in: operation)
        cc_gather_rows(
            engine, table.address, table.dtype.code, rows.baseAddress, y.rowCount, width, y.address, y.dtype.code)
    }

    public func patchify(_ pixels: Tensor, patch: Int, into y: Tensor) throws(TensorError) {
        try requirePatches(of: pixels, patch: patch, into: y)
        try requireActivation(y, "y", in: "patchify")
        let shape = pixels.shape
        cc_patchify(
            engine, pixels.address.assumingMemoryBound(to: Float.self), shape[0], shape[1], shape[2], patch,
            y.address, y.dtype.code)
    }

    public func gatherNeighborhoods(_ grid: Tensor, side: Int, into y: Tensor) throws(TensorError) {
        try requireActivation(grid, "grid", in: "gatherNeighborhoods")
        try requireNeighborhoods(of: grid, side: side, into: y)
        let channels = grid.shape.rowElementCount
        cc_gather_neighborhoods(engine, grid.address, grid.dtype.code, side, channels, y.address)
    }
}
