/// What queues ask of tensors before they move bytes.
package enum TransferChecks {
    /// Throws unless a tensor of a device has room for so many bytes.
    package static func upload(_ byteCount: Int, into tensor: Tensor, _ device: DeviceID) throws(TensorError) {
        guard tensor.device == device else {
            throw .wrongDevice(operation: "upload", argument: "tensor", expected: device, got: tensor.device)
        }
        guard byteCount <= tensor.byteCount else {
            throw .shapeMismatch(
                operation: "upload", argument: "tensor", expected: "of at least \(byteCount) bytes", got: tensor.shape)
        }
    }

    /// Throws unless a tensor of a device has exactly so many bytes.
    package static func download(_ tensor: Tensor, _ byteCount: Int, _ device: DeviceID) throws(TensorError) {
        guard tensor.device == device else {
            throw .wrongDevice(operation: "download", argument: "tensor", expected: device, got: tensor.device)
        }
        guard byteCount == tensor.byteCount else {
            throw .shapeMismatch(
                operation: "download", argument: "tensor", expected: "of exactly \(byteCount) bytes", got: tensor.shape)
        }
    }

    /// Throws unless `x` can be copied as it is into a tensor of a device.
    package static func copy(_ x: Tensor, _ y: Tensor, _ device: DeviceID) throws(TensorError) {
        guard y.device == device else {
            throw .wrongDevice(operation: "copy", argument: "y", expected: device, got: y.device)
        }
        guard x.shape.elementCount == y.shape.elementCount else {
            throw .shapeMismatch(
                operation: "copy", argument: "y", expected: "of \(x.shape.elementCount) elements", got: y.shape)
        }
        guard x.dtype == y.dtype else {
            throw .unsupportedDType(operation: "copy", argument: "y", expected: "\(x.dtype)", got: y.dtype)
        }
    }
}
