/// Variables of the environment that choose cards; nil for one that is not set.
public struct EnvironmentFacts: Sendable, Hashable, Codable {
    /// CUDA_VISIBLE_DEVICES.
    public var cudaVisibleDevices: String?
    /// CUDA_DEVICE_ORDER.
    public var cudaDeviceOrder: String?
    /// NVIDIA_VISIBLE_DEVICES, which container runtimes read.
    public var nvidiaVisibleDevices: String?
    /// NVIDIA_DRIVER_CAPABILITIES, which container runtimes read.
    public var nvidiaDriverCapabilities: String?
    /// FACET_ISA, which forces an instruction set.
    public var facetIsa: String?

    /// Nothing set.
    public init() {}

    /// Takes the variables from an environment.
    public init(_ environment: [String: String]) {
        cudaVisibleDevices = environment["CUDA_VISIBLE_DEVICES"]
        cudaDeviceOrder = environment["CUDA_DEVICE_ORDER"]
        nvidiaVisibleDevices = environment["NVIDIA_VISIBLE_DEVICES"]
        nvidiaDriverCapabilities = environment["NVIDIA_DRIVER_CAPABILITIES"]
        facetIsa = environment["FACET_ISA"]
    }
}
