/// A library of NVIDIA that this package opens while it runs.
public enum NVIDIALibrary: String, Sendable, Hashable, CaseIterable {
    /// The driver; comes with the driver package of the system, never with pip.
    case driver
    /// The compiler of kernels.
    case nvrtc
    /// Matrix products.
    case cublasLt
    /// What the machine knows about its cards; comes with the driver.
    case nvml

    /// The environment variable that names the file to open, and then nothing else is tried.
    public var setting: String {
        switch self {
        case .driver: "FACET_CUDA_DRIVER"
        case .nvrtc: "FACET_NVRTC"
        case .cublasLt: "FACET_CUBLASLT"
        case .nvml: "FACET_NVML"
        }
    }

    /// The part of a file's name before its version.
    var stem: String {
        switch self {
        case .driver: "libcuda.so"
        case .nvrtc: "libnvrtc.so"
        case .cublasLt: "libcublasLt.so"
        case .nvml: "libnvidia-ml.so"
        }
    }

    /// The versions that this package speaks with, the newest first; the driver's two libraries never changed theirs.
    var versions: [Int] {
        switch self {
        case .driver, .nvml: [1]
        case .nvrtc, .cublasLt: [13, 12]
        }
    }

    /// Whether it belongs to a toolkit, which must not be newer than the driver.
    var isOfToolkit: Bool {
        switch self {
        case .driver, .nvml: false
        case .nvrtc, .cublasLt: true
        }
    }

    /// A symbol that every version exports.
    var anchor: String {
        switch self {
        case .driver: "cuInit"
        case .nvrtc: "nvrtcVersion"
        case .cublasLt: "cublasLtCreate"
        case .nvml: "nvmlInit_v2"
        }
    }

    /// What brings the library, for a driver of this CUDA version.
    func remedy(cudaMajor: Int?) -> String {
        let suffix = cudaMajor == 12 ? "-cu12" : ""
        return switch self {
        case .driver, .nvml: "install NVIDIA's driver, version 525 or newer"
        case .nvrtc: "pip install nvidia-cuda-nvrtc\(suffix), or name the file in \(setting)"
        case .cublasLt: "pip install nvidia-cublas\(suffix), or name the file in \(setting)"
        }
    }
}

extension NVIDIALibrary: CustomStringConvertible {
    public var description: String { stem }
}
