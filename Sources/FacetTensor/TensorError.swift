/// What can go wrong below the model: a tensor of the wrong form, or memory that cannot be had.
public enum TensorError: Error, Sendable, Hashable {
    /// An operation was given a tensor of another shape than it needs.
    case shapeMismatch(operation: String, argument: String, expected: String, got: Shape)
    /// An operation was given elements of a type that it has no code for.
    case unsupportedDType(operation: String, argument: String, expected: String, got: DType)
    /// A tensor lives on another device than the operation runs on.
    case wrongDevice(operation: String, argument: String, expected: DeviceID, got: DeviceID)
    /// The device could not give the bytes for a tensor.
    case outOfMemory(label: String, byteCount: Int, device: DeviceID)
    /// The system would not let a device read host memory by itself.
    case pinningRefused(label: String, byteCount: Int, device: DeviceID, reason: String)
    /// A row, slot or id points outside the table it indexes.
    case indexOutOfRange(operation: String, argument: String, index: Int, limit: Int)
    /// A number of a weight is too large for the type that a device computes in.
    case notRepresentable(label: String, dtype: DType)
    /// A device stopped working in the middle of its queue.
    case deviceFailed(device: DeviceID, reason: String)
    /// A CPU backend was asked for instructions that the processor does not have.
    case unsupportedInstructionSet(requested: InstructionSet, best: InstructionSet)
}

extension TensorError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .shapeMismatch(let operation, let argument, let expected, let got):
            "\(operation): '\(argument)' must have shape \(expected), but has \(got)."
        case .unsupportedDType(let operation, let argument, let expected, let got):
            "\(operation): '\(argument)' must hold \(expected), but holds \(got)."
        case .wrongDevice(let operation, let argument, let expected, let got):
            "\(operation): '\(argument)' must be on \(expected), but is on \(got)."
        case .outOfMemory(let label, let byteCount, let device):
            "\(device) has no \(byteCount) bytes left for '\(label)'; lower the context length or the batch size."
        case .pinningRefused(let label, let byteCount, let device, let reason):
            "\(device) could not pin \(byteCount) bytes of host memory for '\(label)' (\(reason)); free host memory, or "
                + "raise what may be locked."
        case .indexOutOfRange(let operation, let argument, let index, let limit):
            "\(operation): '\(argument)' holds \(index), which is outside 0..<\(limit)."
        case .notRepresentable(let label, let dtype):
            "'\(label)' holds numbers too large for \(dtype); choose bfloat16 or float32."
        case .deviceFailed(let device, let reason):
            // A reason may be a sentence of the layer below.
            "\(device) failed: \(reason.hasSuffix(".") ? String(reason.dropLast()) : reason); load the model again."
        case .unsupportedInstructionSet(let requested, let best):
            "This processor has no '\(requested.rawValue)' instructions; the widest it has is '\(best.rawValue)'."
        }
    }
}
