public import FacetTensor

/// What can go wrong between this package and a card.
public enum CUDAError: Error, Sendable, Hashable {
    /// None of the candidates could be opened.
    case libraryMissing(library: NVIDIALibrary, tried: [String], reason: String, remedy: String)
    /// A library lacks a function that every supported version has.
    case symbolMissing(library: NVIDIALibrary, path: String, symbol: String)
    /// The driver sees no card.
    case noDevice(visibleDevices: String?)
    /// The driver has fewer cards than the number that was asked for.
    case noSuchDevice(index: Int, count: Int)
    /// A call was refused; the device works on.
    case callFailed(device: DeviceID?, call: String, result: String, reason: String)
    /// A call of another library than the driver was refused.
    case libraryCallFailed(library: NVIDIALibrary, call: String, result: String)
    /// The card's memory, or the budget, has no room.
    case outOfMemory(device: DeviceID, label: String, byteCount: Int, freeByteCount: Int)
    /// The device stopped working; whatever its context holds is gone.
    case contextLost(device: DeviceID, call: String, result: String, reason: String)
    /// A kernel is not in the code that was loaded.
    case kernelMissing(kernel: String, image: String)
    /// A launch asks for more than the kernel, or the card, can do.
    case invalidLaunch(kernel: String, what: String, limit: Int, got: Int)
    /// The parameters of a kernel are not those that its caller passes.
    case parameterMismatch(kernel: String, expected: [Int], got: [Int])
    /// The compiler rejected a source.
    case compilationFailed(source: String, architecture: String, log: String)
    /// Nothing compiles for the card.
    case unsupportedArchitecture(device: String, compiler: String, newest: String)
    /// A product has a form that the library has no kernel for.
    case unsupportedProduct(form: String, reason: String)
    /// A file of the kernel store cannot be written.
    case unwritable(file: String, reason: String)
    /// An argument lies outside what a call accepts.
    case invalidArgument(call: String, argument: String, expected: String, got: String)
}

extension CUDAError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .libraryMissing(let library, let tried, let reason, let remedy):
            "\(library) could not be opened (\(reason); tried \(tried.joined(separator: ", "))); \(remedy)."
        case .symbolMissing(let library, let path, let symbol):
            "\(path) has no '\(symbol)'; \(library) of CUDA 12.0 or newer is needed: update it."
        case .noDevice(let visible):
            if let visible {
                "The driver shows no card; CUDA_VISIBLE_DEVICES is '\(visible)': correct or unset it."
            } else {
                "The driver shows no card; run 'nvidia-smi' to see whether the system has one."
            }
        case .noSuchDevice(let index, let count):
            "There is no cuda:\(index); the driver shows \(count) card\(count == 1 ? "" : "s"), counted from 0."
        case .callFailed(let device, let call, let result, let reason):
            "\(device.map { "\($0): " } ?? "")\(call) failed: \(result), \(reason)."
        case .libraryCallFailed(let library, let call, let result): "\(library): \(call) failed: \(result)."
        case .outOfMemory(let device, let label, let byteCount, let free):
            "\(device) has no \(byteCount) bytes for '\(label)' (\(free) are free); "
                + "give it fewer layers, a smaller cache, or end other programs on it."
        case .contextLost(let device, let call, let result, let reason):
            "\(device) stopped working: \(call) reported \(result), \(reason); start the program again, "
                + "and if it recurs run 'facet doctor'."
        case .kernelMissing(let kernel, let image): "'\(kernel)' is not in \(image); rebuild the kernels."
        case .invalidLaunch(let kernel, let what, let limit, let got):
            "\(kernel): \(what) is \(got), but may be at most \(limit)."
        case .parameterMismatch(let kernel, let expected, let got):
            "\(kernel) takes parameters of \(expected) bytes, but is given \(got); rebuild the kernels."
        case .compilationFailed(let source, let architecture, let log):
            "\(source) does not compile for \(architecture): \(log)"
        case .unsupportedArchitecture(let device, let compiler, let newest):
            "\(device) is newer than \(compiler) can compile for (up to \(newest)); update it."
        case .unsupportedProduct(let form, let reason): "No kernel of cuBLASLt computes \(form): \(reason)."
        case .unwritable(let file, let reason): "\(file) cannot be written: \(reason)."
        case .invalidArgument(let call, let argument, let expected, let got):
            "\(call): '\(argument)' must be \(expected), but is \(got)."
        }
    }

    /// The error as the tensor layer knows it.
    ///
    /// - Parameter device: the one that was at work.
    func asTensorError(_ device: DeviceID) -> TensorError {
        switch self {
        case .outOfMemory(let device, let label, let byteCount, _):
            .outOfMemory(label: label, byteCount: byteCount, device: device)
        default: .deviceFailed(device: device, reason: description)
        }
    }
}
