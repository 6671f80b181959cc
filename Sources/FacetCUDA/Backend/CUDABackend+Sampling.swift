public import FacetTensor

extension CUDABackend {
    /// Picked by a kernel into what split attention uses, which is free between passes.
    public func enqueueDownload(
        _ picks: LargestNumbers, of rows: Tensor, into bytes: UnsafeMutableRawBufferPointer
    ) throws(TensorError) -> Bool {
        let operation = "enqueueDownload(_:of:into:)"
        try requireHere(rows, "rows", in: operation)
        guard rows.dtype == .float32 else {
            throw .unsupportedDType(operation: operation, argument: "rows", expected: "float32", got: rows.dtype)
        }
        try require(rows, rows: picks.rowCount, width: picks.width, "rows", in: operation)
        guard picks.byteCount <= scratch.parts.byteCount else { return false }
        let values = scratch.parts.address
        try launch(
            topKPartials, grid: Dimensions(picks.segmentCount, picks.rowCount), threads: 256, rows.deviceAddress,
            Int32(picks.width), Int32(picks.count), values, values + picks.byteCount / 2)
        try enqueueDownload(tensors.view(scratch.parts, [2 * picks.pickCount], .float32), into: bytes)
        return true
    }
}
