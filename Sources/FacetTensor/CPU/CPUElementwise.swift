import CCPU

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension CPUBackend {
    public func gatedSiLU(_ gateUp: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatedSiLU"
        try requireActivation(gateUp, "gateUp", in: operation)
        try requireResult(y, gateUp.dtype, "y", in: operation)
        let width = y.shape.rowElementCount
        try require(gateUp, rows: y.rowCount, width: 2 * width, "gateUp", in: operation)
        cc_gated_silu(
            engine, gateUp.address, gateUp.address + width * y.dtype.byteCount, 2 * width, y.dtype.code, y.rowCount,
            width, y.address)
    }

    public func gatedSiLU(gate: Tensor, up: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "gatedSiLU"
        try requireActivation(gate, "gate", in: operation)
        try requireResult(y, gate.dtype, "y", in: operation)
        try requireHere(up, "up", in: operation)
        guard up.dtype == gate.dtype else {
            throw .unsupportedDType(
                operation: operation, argument: "up", expected: gate.dtype.rawValue, got: up.dtype)
        }
        let width = y.shape.rowElementCount
        try require(gate, rows: y.rowCount, width: width, "gate", in: operation)
        try require(up, rows: y.rowCount, width: width, "up", in: operation)
        cc_gated_silu(
            engine, gate.address, up.address, width, y.dtype.code, y.rowCount, width, y.address)
    }

    public func add(_ x: Tensor, to y: Tensor) throws(TensorError) {
        let operation = "add"
        try requireFloat(x, "x", in: operation)
        try requireActivation(y, "y", in: operation)
        try requireOutput(y, "y", in: operation)
        try require(x.shape == y.shape, x, "x", y.shape.description, in: operation)
        cc_add(engine, x.address, x.dtype.code, y.address, y.dtype.code, y.shape.elementCount)
    }

    public func scale(_ x: Tensor, by factor: Float) throws(TensorError) {
        try requireActivation(x, "x", in: "scale")
        try requireOutput(x, "x", in: "scale")
        cc_scale(engine, x.address, x.dtype.code, x.shape.elementCount, factor)
    }

    public func copy(_ x: Tensor, into y: Tensor) throws(TensorError) {
        let operation = "copy"
        try requireOutput(y, "y", in: operation)
        try require(
            x.shape.elementCount == y.shape.elementCount, x, "x", "with \(y.shape.elementCount) elements",
            in: operation)
        if x.dtype == y.dtype {
            try x.storage.read(
                at: x.byteOffset, into: UnsafeMutableRawBufferPointer(start: y.address, count: y.byteCount))
            return
        }
        try requireFloat(x, "x", in: operation)
        try requireFloat(y, "y", in: operation)
        cc_copy(engine, x.address, x.dtype.code, y.address, y.dtype.code, y.shape.elementCount)
    }

    public func containsNonFinite(_ x: Tensor) throws(TensorError) -> Bool {
        try requireFloat(x, "x", in: "containsNonFinite")
        return cc_has_non_finite(engine, x.address, x.dtype.code, x.shape.elementCount) != 0
    }
}
